import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { GrpcStream } from '../grpc/grpc-client.ts';
import { ReceiveThreads } from './receive-threads.ts';

/** Files of a client's, here until `release`. */
export interface ReceivedContext {
  directory: string;
  /** Names what is in there: the same name, the same files. */
  version: string;
  /** File that may remember digests of the directory's files between builds. */
  digests: string;
  release(): Promise<void>;
}

/** A context that is kept for the next build. */
export interface KeptContext {
  id: string;
  kind: 'source.local';
  description: string;
  directory: string;
  createdMs: number;
  lastUsedMs: number;
  inUse: boolean;
}

interface Place {
  root: string;
  directory: string;
  listing: string;
  digests: string;
}

/**
 * The contexts of builds that a client sent file by file, kept so that the next transfer of the same one brings what has changed alone. A build that
 * comes while another has the directory gets one of its own, for once.
 */
export class ContextDirectories {
  readonly #root: string;
  readonly #busy = new Set<string>();
  readonly #threads = new ReceiveThreads();

  constructor(root: string) {
    this.#root = root;
  }

  /** What earlier processes left half done goes. */
  async recover(): Promise<void> {
    for (const name of await this.#names())
      if (name.includes('.')) await rm(join(this.#root, name), { recursive: true, force: true });
  }

  /**
   * @param key names the context: the same client's same directory.
   * @throws as `receiveFiles`; "internal" code no-space.
   */
  async receive(
    key: string,
    stream: GrpcStream,
    options: { signal: AbortSignal; received?: ((bytes: number) => void) | undefined },
  ): Promise<ReceivedContext> {
    const id = createHash('sha256').update(key).digest('hex').slice(0, 32);
    const name = this.#busy.has(id) ? `${id}.${randomUUID()}` : id;
    this.#busy.add(name);
    const place = this.#place(name);
    let version: string;
    try {
      await mkdir(place.root, { recursive: true, mode: 0o700 });
      // With it comes the protocol, which a daemon that builds nothing need not hold.
      const { receiveFiles } = await import('./receive-files.ts');
      ({ version } = await receiveFiles(stream, place, { ...options, threads: this.#threads }));
      const now = new Date();
      await utimes(place.root, now, now);
    } catch (error) {
      await this.#release(name);
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC')
        throw new EngineError('internal', 'Cannot receive the build context: no space left on device', {
          code: 'no-space',
          cause: error,
        });
      throw error;
    }
    const { directory, digests } = place;
    return { directory, version, digests, release: () => this.#release(name) };
  }

  async list(): Promise<KeptContext[]> {
    const kept: KeptContext[] = [];
    for (const id of await this.#names()) {
      const { root, directory } = this.#place(id);
      const found = await stat(root).catch(() => undefined);
      if (found === undefined) continue;
      const { birthtimeMs: createdMs, mtimeMs: lastUsedMs } = found;
      const facts = { createdMs, lastUsedMs, inUse: this.#busy.has(id) };
      kept.push({ id, kind: 'source.local', description: 'local source for context', directory, ...facts });
    }
    return kept;
  }

  /** @throws EngineError "conflict" while a build has it. Absent is fine. */
  async remove(id: string): Promise<void> {
    if (!/^[0-9a-f]{32}$/.test(id))
      throw new EngineError('invalid', `No such context: ${JSON.stringify(id)}`);
    if (this.#busy.has(id)) throw new EngineError('conflict', `Context ${id} is in use`);
    this.#busy.add(id);
    try {
      await rm(this.#place(id).root, { recursive: true, force: true });
    } finally {
      this.#busy.delete(id);
    }
  }

  async #release(name: string): Promise<void> {
    if (name.includes('.')) await rm(this.#place(name).root, { recursive: true, force: true });
    this.#busy.delete(name);
  }

  async #names(): Promise<string[]> {
    return await readdir(this.#root).catch(() => []);
  }

  #place(name: string): Place {
    const root = join(this.#root, name);
    return {
      root,
      directory: join(root, 'files'),
      listing: join(root, 'listing'),
      digests: join(root, 'digests'),
    };
  }
}
