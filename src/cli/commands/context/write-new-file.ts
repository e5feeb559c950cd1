import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EngineError, errnoCodeOf } from '../../../errors/engine-error.ts';
import type { CliContext } from '../../context.ts';
import { reasonOf } from '../save-output.ts';

/** For its owner's eyes. @throws EngineError "invalid" in Docker's words, also when the file is there. */
export async function writeNewFile(context: CliContext, path: string, data: Uint8Array): Promise<void> {
  try {
    await writeFile(resolve(context.cwd, path), data, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const reason = errnoCodeOf(error) === 'EEXIST' ? 'file exists' : reasonOf(error);
    throw new EngineError('invalid', `open ${path}: ${reason}`, { cause: error });
  }
}
