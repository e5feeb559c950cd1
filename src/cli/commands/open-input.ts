import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { CliContext } from '../context.ts';
import { reasonOf } from './save-output.ts';

const CHUNK_BYTES = 1 << 20;

/** A file's bytes. It is open when this returns. @throws EngineError "invalid" `open <path>: <reason>`. */
export async function openInput(context: CliContext, path: string): Promise<AsyncIterable<Uint8Array>> {
  const file = await open(resolve(context.cwd, path)).catch((error: unknown) => {
    throw new EngineError('invalid', `open ${path}: ${reasonOf(error)}`, { cause: error });
  });
  if ((await file.stat()).isDirectory()) {
    await file.close();
    throw new EngineError('invalid', `read ${path}: is a directory`);
  }
  return createReadStream(path, { fd: file, highWaterMark: CHUNK_BYTES }) as AsyncIterable<Uint8Array>;
}
