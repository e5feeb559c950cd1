import { EngineError } from '../../../errors/engine-error.ts';
import { ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { detachKeysOf } from '../../terminal/detach-keys.ts';
import { checkEnv } from './create-options/checks.ts';
import { readEnvironment } from './create-options/environment.ts';
import { followTerminalSize } from './signals.ts';
import { StreamSession } from './stream-session.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  flags: [
    { name: 'detach', short: 'd', kind: 'bool', usage: 'Run the command in the background' },
    { name: 'detach-keys', kind: 'string', usage: 'Key sequence that leaves the command running' },
    { name: 'env', short: 'e', kind: 'list', usage: 'Set environment variables', check: checkEnv },
    { name: 'env-file', kind: 'list', usage: 'Read environment variables from a file' },
    { name: 'interactive', short: 'i', kind: 'bool', usage: 'Keep STDIN open' },
    { name: 'privileged', kind: 'bool', usage: 'Give the command extended privileges' },
    { name: 'tty', short: 't', kind: 'bool', usage: 'Give the command a terminal' },
    { name: 'user', short: 'u', kind: 'string', usage: 'User and group, <name|uid>[:<group|gid>]' },
    { name: 'workdir', short: 'w', kind: 'string', usage: 'Working directory in the container' },
  ],
  args: { min: 2 },
  interspersed: false,
  examples: ['exec -it web sh', 'exec -u postgres db psql -c "select 1"', 'exec -i web tar -x < files.tar'],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { context, client, flags, args } = invocation;
  const [container = '', ...words] = args;
  const detach = flags.bool('detach');
  const tty = flags.bool('tty');
  const stdin = flags.bool('interactive') && !detach;
  // To start, and for the exit code.
  client.connectAhead(detach ? 1 : 2);
  const env = await readEnvironment(flags, context);
  if (stdin && tty && !context.stdin.isTerminal)
    throw new EngineError('invalid', 'the input device is not a TTY');
  const detachKeys = detachKeysOf(flags, context);
  const consoleSize = tty && context.stdout.isTerminal ? context.stdout.size() : undefined;
  const id = await client.execs.create(container, {
    command: words,
    env,
    user: flags.string('user'),
    workingDir: flags.string('workdir'),
    privileged: flags.bool('privileged'),
    tty,
    stdin,
    stdout: !detach,
    stderr: !detach,
    detachKeys,
    consoleSize,
  });
  if (!detach) return await runAttached(invocation, id, { tty, stdin, consoleSize });
  await client.execs.startDetached(id, { tty });
  return 0;
}

async function runAttached(
  { context, client }: Invocation,
  id: string,
  options: { tty: boolean; stdin: boolean; consoleSize: { width: number; height: number } | undefined },
): Promise<number> {
  const { tty, stdin } = options;
  const connection = await client.execs.start(id, options);
  const follow =
    tty && context.stdout.isTerminal
      ? followTerminalSize(context, (size) => client.execs.resize(id, size))
      : undefined;
  try {
    await new StreamSession(context, connection, { tty, stdin, stdout: true, stderr: true }).run();
  } finally {
    follow?.();
  }
  const { Running, ExitCode } = await client.execs.inspect(id);
  // Left by the detach keys it runs on. Docker's words and status.
  if (Running) throw new ExitError(1, 'read escape sequence\n');
  return ExitCode ?? 0;
}
