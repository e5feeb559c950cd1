import type { TerminalCallJson } from '../../../wire/build.ts';
import type { CliContext, Invocation } from '../../context.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { printable } from '../../output/printable.ts';
import { followTerminalSize } from '../container/signals.ts';
import { StreamSession } from '../container/stream-session.ts';

/** Whether `--debug` has what it needs; where it hasn't it says so. */
export async function canDebug(context: CliContext, flags: ParsedFlags): Promise<boolean> {
  if (!flags.bool('debug')) return false;
  if (context.stdin.isTerminal) return true;
  await context.stderr.write(
    'WARNING: --debug needs a terminal on standard input: no shell will be opened where a step fails\n',
  );
  return false;
}

/** Our terminal is that of the shell where a build's step has failed, until the shell ends. */
export async function openFailureTerminal(
  { context, client }: Invocation,
  { token, shell }: TerminalCallJson,
  signal: AbortSignal,
): Promise<void> {
  const program = printable(shell.join(' '));
  await context.stderr.write(
    `A shell (${program}) is open in the state of the failed step. Leave it with "exit" or Ctrl-D: the build fails then.\n`,
  );
  const connection = await client.builds.terminal(token, signal);
  const follow = context.stdout.isTerminal
    ? followTerminalSize(context, (size) => client.builds.resizeTerminal(token, size))
    : undefined;
  try {
    const streams = { tty: true, stdin: true, stdout: true, stderr: false };
    await new StreamSession(context, connection, streams).run();
  } finally {
    follow?.();
  }
}
