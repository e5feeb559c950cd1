import { close, open, write } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { deserializeError, EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { closeFd, openPipe } from '../../sys/pipe.ts';
import type { DetachedChild } from '../../sys/spawn.ts';
import { spawnDetached } from '../../sys/spawn.ts';
import type { UnpackedLayer } from './layer-unpacker.ts';
import { noSpaceExitCode, type UnpackReport } from './unpack-report.ts';

const closeFile = promisify(close);
const openFile = promisify(open);
const writeFile = promisify(write);
const program = fileURLToPath(new URL('./unpack-child.ts', import.meta.url));

/**
 * A child process that unpacks a tar into `target`, with `target` as its root in a mount namespace of its own: whatever the tar says, no
 * path of it can be followed out. It ends when its stdin does, so it does not outlive us by more than what it has still to read.
 */
export class UnpackProcess {
  readonly #child: DetachedChild;
  readonly #reportPath: string;
  #stdin: number;

  private constructor(child: DetachedChild, stdin: number, reportPath: string) {
    this.#child = child;
    this.#stdin = stdin;
    this.#reportPath = reportPath;
  }

  /** `reportPath` is written by the child. `plain`: an archive of files, not a layer. */
  static async start(target: string, reportPath: string, { plain = false } = {}): Promise<UnpackProcess> {
    const report = await openFile(reportPath, 'wx', 0o600);
    const { first: reading, second: writing } = openPipe();
    try {
      const command = ['unshare', '--mount', '--propagation', 'private', process.execPath, program, target];
      if (plain) command.push('plain');
      const child = spawnDetached(command, { stdio: [reading, report, 'ignore'], cwd: '/' });
      return new UnpackProcess(child, writing, reportPath);
    } catch (error) {
      closeFd(writing);
      throw error;
    } finally {
      closeFd(reading);
      await closeFile(report);
    }
  }

  /** Resolves when the child has room for more. @throws what the child found wrong. */
  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < chunk.length; ) {
        const written = await writeFile(this.#stdin, chunk, at, chunk.length - at);
        at += written.bytesWritten;
      }
    } catch (error) {
      if (errnoCodeOf(error) !== 'EPIPE') throw error;
      await this.finish();
      throw new EngineError('internal', 'Cannot unpack layer: the child ended early');
    }
  }

  /** No more bytes: wait for the end. @throws what the child found wrong. */
  async finish(): Promise<UnpackedLayer> {
    await this.#closeStdin();
    const exitCode = await this.#child.exited;
    if (exitCode === noSpaceExitCode)
      throw new EngineError('internal', 'Cannot unpack layer: no space left on device', { code: 'no-space' });
    const report = await this.#report(exitCode);
    if (report.error !== undefined) throw deserializeError(report.error);
    if (report.layer === undefined) throw unexpectedEnd(exitCode);
    return report.layer;
  }

  /** End the child now. Safe at any time. */
  async kill(): Promise<void> {
    await this.#closeStdin();
    try {
      process.kill(this.#child.pid, 'SIGKILL');
    } catch (error) {
      if (errnoCodeOf(error) !== 'ESRCH') throw error;
    }
    await this.#child.exited;
  }

  async #closeStdin(): Promise<void> {
    const fd = this.#stdin;
    this.#stdin = -1;
    if (fd !== -1) await closeFile(fd);
  }

  async #report(exitCode: number): Promise<UnpackReport> {
    const text = await readFile(this.#reportPath, 'utf8');
    try {
      return JSON.parse(text) as UnpackReport;
    } catch {
      throw unexpectedEnd(exitCode);
    }
  }
}

function unexpectedEnd(exitCode: number): EngineError {
  return new EngineError('internal', `Cannot unpack layer: the child ended with code ${exitCode}`);
}
