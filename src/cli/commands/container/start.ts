import { EngineError } from '../../../errors/engine-error.ts';
import { describeError, ExitError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { detachKeysOf } from '../../terminal/detach-keys.ts';
import { followTerminalSize, forwardSignals } from './signals.ts';
import { StreamSession } from './stream-session.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: [
    { name: 'attach', short: 'a', kind: 'bool', usage: 'Attach STDOUT and STDERR, and pass signals on' },
    { name: 'detach-keys', kind: 'string', usage: 'Key sequence that leaves the container running' },
    { name: 'interactive', short: 'i', kind: 'bool', usage: "Attach the container's STDIN" },
  ],
  args: { min: 1 },
  examples: ['start web', 'start -ai job'],
  async run(invocation) {
    const { flags, args } = invocation;
    if (!flags.bool('attach') && !flags.bool('interactive')) return startAll(invocation);
    if (args.length > 1)
      throw new EngineError('invalid', 'you cannot start and attach multiple containers at once');
    return startAttached(invocation, args[0] ?? '');
  },
};

async function startAll({ context, client, args }: Invocation): Promise<number> {
  const failed: string[] = [];
  for (const name of args) {
    try {
      await client.containers.start(name);
      await context.stdout.write(`${name}\n`);
    } catch (error) {
      failed.push(name);
      await context.stderr.write(`${describeError(error)}\n`);
    }
  }
  if (failed.length > 0) throw new ExitError(1, `Error: failed to start containers: ${failed.join(', ')}`);
  return 0;
}

async function startAttached({ context, client, flags }: Invocation, name: string): Promise<number> {
  const container = await client.containers.inspect(name);
  const { Tty: tty, OpenStdin } = container.Config;
  const stdin = OpenStdin && flags.bool('interactive');
  const detachKeys = detachKeysOf(flags, context);
  const stop = tty ? undefined : forwardSignals(context, client, container.Id);
  const aborted = new AbortController();
  let stopResizing: (() => void) | undefined;
  try {
    const options = { stdin, stdout: true, stderr: true };
    const connection = await client.containers.attach(container.Id, { stream: true, ...options, detachKeys });
    const condition = container.HostConfig?.AutoRemove === true ? 'removed' : 'next-exit';
    const wait = client.containers.wait(container.Id, { condition, signal: aborted.signal });
    await wait.registered;
    const session = new StreamSession(context, connection, { tty, ...options });
    const streams = session.run();
    streams.catch(() => undefined);
    try {
      await client.containers.start(container.Id);
    } catch (error) {
      await session.setRaw(false);
      connection.close();
      throw error;
    }
    if (tty && context.stdout.isTerminal)
      stopResizing = followTerminalSize(context, (size) => client.containers.resize(container.Id, size));
    await streams;
    const state = (await client.containers.inspect(container.Id).catch(() => undefined))?.State;
    // Left by its keys; where no keys can be typed, it is the input that has ended.
    if (tty && context.stdin.isTerminal && state?.Running === true) return 0;
    return (await wait.result).StatusCode;
  } finally {
    aborted.abort();
    stopResizing?.();
    stop?.();
  }
}
