import { decodeAnswer, type EngineConnection, namePath } from './engine-connection.ts';
import { jsonLines } from './json-lines.ts';
import type {
  HistoryEntry,
  ImageDeleted,
  ImageSearchResult,
  ImageSummary,
  ProgressMessage,
  PruneResult,
} from './model.ts';
import { encodeFilters } from './query.ts';

type Filters = Readonly<Record<string, readonly string[]>>;

export interface PullOptions {
  /** Repository as its registry knows it, `docker.io/library/busybox` or short. */
  repository: string;
  /** Tag or digest; all tags of the repository without. */
  tag?: string | undefined;
  platform?: string | undefined;
  /** X-Registry-Auth, base64url JSON. */
  auth?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface PushOptions {
  /** All tags of the repository without. */
  tag?: string | undefined;
  /** `{"os","architecture"}` as JSON: push that one alone. */
  platform?: string | undefined;
  /** X-Registry-Auth, base64url JSON. */
  auth?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface LoadOptions {
  quiet?: boolean;
  /** `{"os","architecture"}` as JSON. */
  platforms?: readonly string[];
  signal?: AbortSignal | undefined;
}

/** What a load tells: lines of progress, or the text of daemons that send none. */
export type LoadAnswer = { messages: AsyncIterable<ProgressMessage> } | { bytes: AsyncIterable<Uint8Array> };

export interface SearchOptions {
  /** 25 by the daemon's choice. */
  limit?: number | undefined;
  filters?: Filters;
  /** X-Registry-Auth, base64url JSON. */
  auth?: string | undefined;
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
    options: { all?: boolean; sharedSize?: boolean; manifests?: boolean; filters?: Filters } = {},
  ): Promise<ImageSummary[]> {
    return this.#engine.json('GET', '/images/json', {
      query: {
        all: options.all === true ? true : undefined,
        'shared-size': options.sharedSize === true ? true : undefined,
        manifests: options.manifests === true ? true : undefined,
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
      ...authHeader(options.auth),
      signal: options.signal,
    });
  }

  /** Ends when the registry has it all; a failure is a line with `errorDetail`. */
  push(repository: string, options: PushOptions): AsyncGenerator<ProgressMessage, void, undefined> {
    return this.#engine.jsonLines('POST', `/images/${namePath(repository)}/push`, {
      query: { tag: options.tag, platform: options.platform },
      ...authHeader(options.auth),
      signal: options.signal,
    });
  }

  /** The images as one tar archive. Their names stay in it. */
  async save(
    names: readonly string[],
    options: { platforms?: readonly string[]; signal?: AbortSignal | undefined } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const platform = options.platforms ?? [];
    if (platform.length > 0) await this.#engine.require('1.48', 'platform');
    const query = { names, platform };
    const { body } = await this.#engine.stream('GET', '/images/get', { query, signal: options.signal });
    return body;
  }

  /** Load what `save` gave, compressed or not. A failure is a line with `errorDetail`. */
  async load(body: AsyncIterable<Uint8Array> | Uint8Array, options: LoadOptions = {}): Promise<LoadAnswer> {
    const platform = options.platforms ?? [];
    if (platform.length > 0) await this.#engine.require('1.48', 'platform');
    const answer = await this.#engine.stream('POST', '/images/load', {
      query: { quiet: options.quiet === true, platform },
      body,
      contentType: 'application/x-tar',
      signal: options.signal,
    });
    if (answer.header('content-type') !== 'application/json') return { bytes: answer.body };
    return { messages: jsonLines(answer.body) as AsyncIterable<unknown> as AsyncIterable<ProgressMessage> };
  }

  /** Look for repositories; `term` may begin with a registry's host. */
  search(term: string, options: SearchOptions = {}): Promise<ImageSearchResult[]> {
    return this.#engine.json('GET', '/images/search', {
      query: { term, limit: options.limit, filters: encodeFilters(options.filters ?? {}) },
      ...authHeader(options.auth),
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
    return (await this.#engine.call('GET', `/images/${namePath(name)}/json`, { query })).text;
  }

  history(name: string, options: { platform?: string | undefined } = {}): Promise<HistoryEntry[]> {
    const query = { platform: options.platform };
    return this.#engine.json('GET', `/images/${namePath(name)}/history`, { query });
  }

  async tag(source: string, target: { repository: string; tag: string | undefined }): Promise<void> {
    await this.#engine.call('POST', `/images/${namePath(source)}/tag`, {
      query: { repo: target.repository, tag: target.tag },
    });
  }

  remove(
    name: string,
    options: { force?: boolean; noPrune?: boolean; platforms?: readonly string[] } = {},
  ): Promise<ImageDeleted[]> {
    return this.#engine.json('DELETE', `/images/${namePath(name)}`, {
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

function authHeader(auth: string | undefined): { headers?: Record<string, string> } {
  return auth === undefined ? {} : { headers: { 'x-registry-auth': auth } };
}
