import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { deserializeError, EngineError, type SerializedError } from '../../errors/engine-error.ts';
import { run } from '../../sys/spawn.ts';

const program = fileURLToPath(new URL('./copy-child.ts', import.meta.url));

/** What is to be copied, as the child gets it. */
export interface CopyRequest {
  /** Directory whose content is copied, and whose owner, mode, times and attributes are. What is mounted below is left out. */
  from: string;
  /** An empty directory. */
  to: string;
  /** An empty directory for the child to mount its root on, in its own mount namespace. Made where it is absent. */
  scratch: string;
  /** Have it on disk before it is done. */
  sync?: boolean;
}

/**
 * Copy a directory in a child process that sees nothing but the two, the source read-only: whoever works in one of them meanwhile and puts links in the
 * way leads the copy nowhere else. Blocks are shared where the file system can.
 *
 * @throws EngineError "internal", code no-space where that is the cause; `signal.reason` on abort.
 */
export async function copyDirectory(request: CopyRequest, signal: AbortSignal): Promise<void> {
  await mkdir(request.scratch, { recursive: true, mode: 0o700 });
  const command = ['unshare', '--mount', '--propagation', 'private', process.execPath, program];
  const { exitCode, stderr } = await run(command, { stdin: JSON.stringify(request), signal, cwd: '/' });
  if (exitCode !== 0) throw errorOf(stderr, exitCode);
}

function errorOf(text: string, code: number): EngineError {
  let error: EngineError;
  try {
    error = deserializeError(JSON.parse(text) as SerializedError);
  } catch {
    return new EngineError(
      'internal',
      `Cannot copy a folder: the child ended with code ${code}: ${text.trim()}`,
    );
  }
  const full = /ENOSPC|EDQUOT|no space left/i.test(error.message);
  return new EngineError(
    'internal',
    `Cannot copy a folder: ${error.message}`,
    full ? { code: 'no-space' } : {},
  );
}
