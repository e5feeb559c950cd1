import { EngineError } from '../errors/engine-error.ts';
import { run } from '../sys/spawn.ts';

/**
 * Copy what is in the directory `from` into the directory `to`, and its own owner and mode, with all that a file system keeps: owners,
 * modes, times, extended attributes, hard links, devices. Links are copied, not followed.
 *
 * @throws EngineError "internal", code no-space where that is the cause.
 */
export async function copyContent(from: string, to: string): Promise<void> {
  const { exitCode, stderr } = await run(['cp', '-a', '--reflink=auto', '--', `${from}/.`, `${to}/`]);
  if (exitCode === 0) return;
  const [reason = ''] = stderr.trim().split('\n');
  const full = stderr.includes('No space left on device');
  throw new EngineError('internal', `Cannot fill a volume: ${reason}`, full ? { code: 'no-space' } : {});
}
