import { decodeAnswer, type EngineConnection } from './engine-connection.ts';
import type { HistoryEntry, ImageDeleted, ImageSummary, ProgressMessage, PruneResult } from './model.ts';
import { encodeFilters } from './query.ts';

type Filters = Readonly<Record<string, readonly string[]>>;

export interface PullOptions {
  /** Repository as its registry knows it, `docker.io/library/busybox` or short. */
  repository: string;
  tag: string;
  platform?: string | undefined;
  /** X-Registry-Auth, base64url JSON. */
  auth?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface ImportOptions {
  /** `-` when the tar is in `body`, else a URL. */
  source: string;
  repository?: string | undefined;
  tag?: string | undefined;
  message?: string | undefined;
  changes?: readonly string[];
  platform?: string | undefined;
  body?: AsyncIterable<Uint8Array> | Uint8Array | undefined;
  signal?: AbortSignal | undefined;
}

/** `/images`. A name may be a reference or an ID. */
export class ImageClient {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  list(
    options: { all?: boolean; digests?: boolean; sharedSize?: boolean; filters?: Filters } = {},
  ): Promise<ImageSummary[]> {
    return this.#engine.json('GET', '/images/json', {
      query: {
        all: options.all === true ? true : undefined,
        'shared-size': options.sharedSize === true ? true : undefined,
        filters: encodeFilters(options.filters ?? {}),
      },
    });
  }

  /** Ends when the image is whole; a failure is a line with `errorDetail`, which the caller judges. */
  pull(options: PullOptions): AsyncGenerator<ProgressMessage, void, undefined> {
    return this.#engine.jsonLines('POST', '/images/create', {
      query: {
        fromImage: options.repository,
        tag: options.tag,
        platform: options.platform?.toLowerCase() || undefined,
      },
      ...(options.auth === undefined ? {} : { headers: { 'x-registry-auth': options.auth } }),
      signal: options.signal,
    });
  }

  import(options: ImportOptions): AsyncGenerator<ProgressMessage, void, undefined> {
    return this.#engine.jsonLines('POST', '/images/create', {
      query: {
        fromSrc: options.source,
        repo: options.repository || undefined,
        tag: options.tag || undefined,
        message: options.message || undefined,
        changes: options.changes ?? [],
        platform: options.platform?.toLowerCase() || undefined,
      },
      contentType: 'text/plain',
      ...(options.body === undefined ? {} : { body: options.body }),
      signal: options.signal,
    });
  }

  async inspect<T>(name: string): Promise<T> {
    return decodeAnswer<T>(await this.inspectText(name));
  }

  /** The daemon's own text, for those who print it. `platform` is `{"os","architecture"}` as JSON. */
  async inspectText(name: string, options: { platform?: string | undefined } = {}): Promise<string> {
    const query = { platform: options.platform };
    return (await this.#engine.call('GET', `/images/${path(name)}/json`, { query })).text;
  }

  history(name: string, options: { platform?: string | undefined } = {}): Promise<HistoryEntry[]> {
    const query = { platform: options.platform };
    return this.#engine.json('GET', `/images/${path(name)}/history`, { query });
  }

  async tag(source: string, target: { repository: string; tag: string | undefined }): Promise<void> {
    await this.#engine.call('POST', `/images/${path(source)}/tag`, {
      query: { repo: target.repository, tag: target.tag },
    });
  }

  remove(
    name: string,
    options: { force?: boolean; noPrune?: boolean; platforms?: readonly string[] } = {},
  ): Promise<ImageDeleted[]> {
    return this.#engine.json('DELETE', `/images/${path(name)}`, {
      query: {
        force: options.force === true ? true : undefined,
        noprune: options.noPrune === true ? true : undefined,
        platforms: options.platforms ?? [],
      },
    });
  }

  prune(filters: Filters): Promise<PruneResult> {
    return this.#engine.json('POST', '/images/prune', { query: { filters: encodeFilters(filters) } });
  }
}

/** Slashes and colons of a reference stay as they are; everything else that would break a path is escaped. */
function path(name: string): string {
  return encodeURIComponent(name).replace(/%(2F|3A|40)/g, decodeURIComponent);
}
