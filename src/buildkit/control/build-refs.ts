import { randomUUID } from 'node:crypto';
import type { ReadableSource, SourceFiles } from '../../builder/read-source.ts';
import { EngineError } from '../../errors/engine-error.ts';

/** More than any client asks for; each may be a repository. */
const MAX_REFS = 100;

/** What a client that drives a build may refer to and look into: what was built, and sources that it names. Those are fetched when they are looked into. */
export class BuildRefs {
  readonly #open: (source: ReadableSource) => Promise<SourceFiles>;
  readonly #sources = new Map<string, ReadableSource>();
  readonly #files = new Map<string, Promise<SourceFiles>>();
  #closed = false;

  constructor(open: (source: ReadableSource) => Promise<SourceFiles>) {
    this.#open = open;
  }

  /** @returns its name: an image's is its ID. @throws EngineError "invalid" for too many. */
  add(source: ReadableSource): string {
    if (this.#closed) throw new EngineError('invalid', 'the build is over');
    const id = source.type === 'image' ? source.reference : randomUUID();
    if (this.#sources.size >= MAX_REFS && !this.#sources.has(id))
      throw new EngineError('invalid', `Cannot refer to more than ${MAX_REFS} results of one build`);
    this.#sources.set(id, source);
    return id;
  }

  /** @throws EngineError "invalid" where there is none of that name. */
  source(id: string): ReadableSource {
    const source = this.#sources.get(id);
    if (source === undefined) throw new EngineError('invalid', `no such ref: ${id}`);
    return source;
  }

  /** @throws as `source`, and what fetching it throws. */
  async files(id: string): Promise<SourceFiles> {
    const source = this.source(id);
    const known = this.#files.get(id);
    if (known !== undefined) return await known;
    const opening = this.#open(source);
    this.#files.set(id, opening);
    // What could not be had may be there the next time.
    opening.catch(() => this.#files.delete(id));
    return await opening;
  }

  /** The build is over. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sources.clear();
    const opened = await Promise.allSettled(this.#files.values());
    this.#files.clear();
    for (const one of opened) if (one.status === 'fulfilled') await one.value.close();
  }
}
