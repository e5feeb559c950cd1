import { describeError, ExitError } from '../../cli-error.ts';
import type { Invocation } from '../../context.ts';

/** Docker's status for what failed before there was a container's own. */
export const DAEMON_FAILED = 125;

/** What ends `run` and `create` with a status of their own. */
export function failure(
  { context: { program } }: Invocation,
  error: unknown,
  { command, status = DAEMON_FAILED }: { command: 'run' | 'create'; status?: number },
): ExitError {
  if (error instanceof ExitError) return error;
  return new ExitError(
    status,
    `${program}: ${describeError(error)}\n\nRun '${program} ${command} --help' for more information`,
  );
}
