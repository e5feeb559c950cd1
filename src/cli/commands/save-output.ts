import { constants } from 'node:fs';
import { lstat, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EngineError, errnoCodeOf, messageOf } from '../../errors/engine-error.ts';
import type { CliContext } from '../context.ts';
import { withInterrupt } from '../terminal/interrupt.ts';

export interface SaveOptions {
  /** `--output`; empty for stdout. */
  output: string;
  /** What an unusable `output` is told with: `failed to save image`. */
  failure: string;
  /** Ask for the stream, once it is known where to put it. */
  read: (signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
}

/**
 * Write a stream to a file or to stdout. The file is there whole or, when anything fails or the user interrupts, as it was before.
 *
 * @throws EngineError "invalid" when it would go to a terminal or `output` is no place for a file.
 */
export async function saveOutput(context: CliContext, { output, failure, read }: SaveOptions): Promise<void> {
  if (output === '') {
    if (context.stdout.isTerminal)
      throw new EngineError(
        'invalid',
        'cowardly refusing to save to a terminal. Use the -o flag or redirect',
      );
    for await (const chunk of await read(new AbortController().signal)) await context.stdout.write(chunk);
    return;
  }
  const path = resolve(context.cwd, output);
  await checkDestination(path, output, failure);
  const temporary = join(dirname(path), `.tmp-${basename(path)}${crypto.randomUUID().slice(0, 8)}`);
  await withInterrupt((signal) => writeWhole({ path, temporary, failure }, () => read(signal)));
}

async function writeWhole(
  { path, temporary, failure }: { path: string; temporary: string; failure: string },
  read: () => Promise<AsyncIterable<Uint8Array>>,
): Promise<void> {
  const file = await open(temporary, 'wx', 0o600).catch((error: unknown) => {
    throw new EngineError('invalid', `${failure}: open ${temporary}: ${reasonOf(error)}`, { cause: error });
  });
  try {
    try {
      for await (const chunk of await read()) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw errnoCodeOf(error) === 'ENOSPC'
      ? new EngineError('internal', `write ${temporary}: no space left on device`, { cause: error })
      : error;
  }
}

/** A file that may be replaced, or nothing, in a folder that is there. */
async function checkDestination(path: string, shown: string, failure: string): Promise<void> {
  const refuse = (why: string) => new EngineError('invalid', `${failure}: ${why}`);
  const folder = dirname(shown);
  const parent = await stat(dirname(path)).catch((error: unknown) => {
    throw refuse(`invalid output path: stat ${folder}: ${reasonOf(error)}`);
  });
  if (!parent.isDirectory()) throw refuse(`invalid output path: stat ${folder}: not a directory`);
  const there = await lstat(path).catch((error: unknown) => {
    if (errnoCodeOf(error) === 'ENOENT') return undefined;
    throw refuse(`failed to stat output path: lstat ${shown}: ${reasonOf(error)}`);
  });
  if (there === undefined || there.isFile()) return;
  throw refuse(NO_PLACE[there.mode & constants.S_IFMT] ?? `unknown file mode: ${there.mode.toString(8)}`);
}

const NO_PLACE: Readonly<Record<number, string>> = {
  [constants.S_IFDIR]: 'cannot write to a directory',
  [constants.S_IFLNK]: 'cannot write to a symbolic link directly',
  [constants.S_IFIFO]: 'cannot write to a named pipe (FIFO)',
  [constants.S_IFSOCK]: 'cannot write to a socket',
  [constants.S_IFCHR]: 'cannot write to a character device file',
  [constants.S_IFBLK]: 'cannot write to a block device file',
};

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  EROFS: 'read-only file system',
  ENOSPC: 'no space left on device',
};

/** An errno as Go words it. */
export function reasonOf(error: unknown): string {
  return REASONS[errnoCodeOf(error) ?? ''] ?? messageOf(error);
}
