import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContextSource, ContextTree, ContextWant } from '../build-session.ts';
import type { FileRunner } from '../copy/file-job.ts';
import type { FilePlace } from './file-place.ts';
import { FileTree } from './file-tree.ts';

/** What came over a socket is garbage once it is written, and the collector doesn't see its weight. */
const COLLECT_BYTES = 32 << 20;

export interface ReceivePorts {
  /** Ours alone; what lies there belongs to builds under way. */
  directory: string;
  files: FileRunner;
}

/** A context that was sent as one archive: received to a file once, indexed, read in place. */
export class ArchiveContext implements ContextSource {
  readonly #place: FilePlace;
  readonly #directory: string;

  private constructor(place: FilePlace, directory: string) {
    this.#place = place;
    this.#directory = directory;
  }

  /**
   * Take in an archive, compressed or not; what is none is a Dockerfile alone.
   *
   * @throws EngineError "invalid" for a hostile one. Nothing is left then.
   */
  static async receive(
    body: AsyncIterable<Uint8Array>,
    { directory, files }: ReceivePorts,
    options: { signal: AbortSignal },
  ): Promise<ArchiveContext> {
    const own = join(directory, randomUUID());
    await mkdir(own, { recursive: true, mode: 0o700 });
    try {
      const file = join(own, 'received');
      await writeBody(body, file, options.signal);
      const place = await files.receive({ file, directory: join(own, 'tree'), orDockerfile: true }, options);
      return new ArchiveContext(place, own);
    } catch (error) {
      await rm(own, { recursive: true, force: true });
      throw error;
    }
  }

  async open(want: ContextWant): Promise<ContextTree> {
    // All of it is here: only what the ignore file takes away makes a difference.
    const place: FilePlace =
      want.exclude.length > 0 && (this.#place.kind === 'archive' || this.#place.kind === 'directory')
        ? { ...this.#place, filter: { include: [], exclude: want.exclude, follow: [] } }
        : this.#place;
    const tree = new FileTree(place);
    return { tree, place, directory: undefined, release: async () => await tree.close() };
  }

  async close(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function writeBody(body: AsyncIterable<Uint8Array>, path: string, signal: AbortSignal): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  let uncollected = 0;
  try {
    for await (const chunk of body) {
      signal.throwIfAborted();
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      uncollected += chunk.length;
      if (uncollected < COLLECT_BYTES) continue;
      uncollected = 0;
      Bun.gc(true);
    }
    signal.throwIfAborted();
  } finally {
    await file.close();
  }
}
