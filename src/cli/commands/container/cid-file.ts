import { type FileHandle, open, rm } from 'node:fs/promises';
import { EngineError, errnoCodeOf, messageOf } from '../../../errors/engine-error.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EACCES: 'permission denied',
  EROFS: 'read-only file system',
};

/** `--cidfile`: there before the container is, so that none is made whose id can't be told; gone again where none was made. */
export class CidFile {
  readonly #path: string;
  readonly #file: FileHandle;
  #written = false;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Undefined for no path. @throws EngineError "conflict" where it is taken, "invalid" where it can't be made, in Docker's words. */
  static async claim(path: string): Promise<CidFile | undefined> {
    if (path === '') return undefined;
    try {
      return new CidFile(path, await open(path, 'wx', 0o644));
    } catch (error) {
      const code = errnoCodeOf(error) ?? '';
      if (code === 'EEXIST')
        throw new EngineError(
          'conflict',
          `container ID file found, make sure the other container isn't running or delete ${path}`,
          { cause: error },
        );
      const reason = REASONS[code] ?? messageOf(error);
      throw new EngineError('invalid', `failed to create the container ID file: open ${path}: ${reason}`, {
        cause: error,
      });
    }
  }

  async write(id: string): Promise<void> {
    await this.#file.writeFile(id);
    this.#written = true;
  }

  async close(): Promise<void> {
    await this.#file.close();
    if (!this.#written) await rm(this.#path, { force: true });
  }
}
