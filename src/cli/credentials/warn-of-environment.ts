import type { CliContext } from '../context.ts';
import { printNote } from '../output/note.ts';

/** A login or logout that the environment makes pointless says so. */
export async function warnOfEnvironment({ env, stderr }: CliContext): Promise<void> {
  if (!env.DOCKER_AUTH_CONFIG) return;
  await printNote(
    stderr,
    'DOCKER_AUTH_CONFIG is set and takes precedence.\nUnset DOCKER_AUTH_CONFIG to restore the CLI auth behaviour.\n',
    { warning: true },
  );
}
