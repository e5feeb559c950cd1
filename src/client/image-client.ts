import { decodeAnswer, type EngineConnection, namePath } from './engine-connection.ts';
import { jsonLines } from './json-lines.ts';
import type {
  HistoryEntry,
  ImageDeleted,
  ImageDiff,
  ImageLayers,
  ImageSearchResult,
  ImageSummary,
  ImageTagList,
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
  /** False: the registry may speak plain HTTP or show any certificate. Sampan's daemon alone can. */
  tlsVerify?: boolean | undefined;
}

export interface PushOptions {
  /** All tags of the repository without. */
  tag?: string | undefined;
  /** `{"os","architecture"}` as JSON: push that one alone. */
  platform?: string | undefined;
  /** X-Registry-Auth, base64url JSON. */
  auth?: string | undefined;
  signal?: AbortSignal | undefined;
  /** False: the registry may speak plain HTTP or show any certificate. Sampan's daemon alone can. */
  tlsVerify?: boolean | undefined;
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
  /** False: the registry may speak plain HTTP or show any certificate. Sampan's daemon alone can. */
  tlsVerify?: boolean | undefined;
}

export interface CopyOptions {
  /** Whole names with tag or digest, the destination's with tag. */
  from: string;
  to: string;
  /** `{"os","architecture"}` as JSON: copy that one alone. */
  platform?: string | undefined;
  /** X-Registry-Auth for the destination, and for the source. */
  auth?: string | undefined;
  sourceAuth?: string | undefined;
  /** False: both registries may speak plain HTTP or show any certificate. */
  tlsVerify?: boolean | undefined;
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
  async *pull(options: PullOptions): AsyncGenerator<ProgressMessage, void, undefined> {
    yield* this.#engine.jsonLines<ProgressMessage>('POST', '/images/create', {
      query: {
        tlsVerify: await this.#unverified(options),
        fromImage: options.repository,
        tag: options.tag,
        platform: options.platform?.toLowerCase() || undefined,
      },
      ...authHeader(options.auth),
      signal: options.signal,
    });
  }

  /** Ends when the registry has it all; a failure is a line with `errorDetail`. */
  async *push(repository: string, options: PushOptions): AsyncGenerator<ProgressMessage, void, undefined> {
    if (options.platform !== undefined) await this.#engine.require('1.46', 'platform');
    const tlsVerify = await this.#unverified(options);
    yield* this.#engine.jsonLines<ProgressMessage>('POST', `/images/${namePath(repository)}/push`, {
      query: { tag: options.tag, platform: options.platform, tlsVerify },
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
  async search(term: string, options: SearchOptions = {}): Promise<ImageSearchResult[]> {
    const tlsVerify = await this.#unverified(options);
    return this.#engine.json('GET', '/images/search', {
      query: { term, limit: options.limit, filters: encodeFilters(options.filters ?? {}), tlsVerify },
      ...authHeader(options.auth),
    });
  }

  /** The tags of a repository at its registry. Sampan's daemon alone can. */
  tags(repository: string, options: Omit<SearchOptions, 'filters'> = {}): Promise<ImageTagList> {
    const tlsVerify = options.tlsVerify === false ? false : undefined;
    return this.#engine.own("list a repository's tags", () =>
      this.#engine.json('GET', '/images/search', {
        query: { term: repository, listTags: true, limit: options.limit, tlsVerify },
        ...authHeader(options.auth),
      }),
    );
  }

  /** What each layer brings. Sampan's daemon alone can. */
  layers(
    name: string,
    options: { files?: boolean; platform?: string | undefined } = {},
  ): Promise<ImageLayers> {
    const query = { files: options.files === true ? true : undefined, platform: options.platform };
    return this.#engine.own('look into layers', () =>
      this.#engine.json('GET', `/images/${namePath(name)}/layers`, { query }),
    );
  }

  /** How the files of `other` differ from those of `name`. Sampan's daemon alone can. */
  diff(name: string, other: string, options: { platform?: string | undefined } = {}): Promise<ImageDiff> {
    const query = { to: other, platform: options.platform };
    return this.#engine.own('compare images', () =>
      this.#engine.json('GET', `/images/${namePath(name)}/diff`, { query }),
    );
  }

  /** From registry to registry; ends when the destination has it all. Sampan's daemon alone can. */
  async *copy(options: CopyOptions): AsyncGenerator<ProgressMessage, void, undefined> {
    const { from, to, platform, auth, sourceAuth, signal } = options;
    const { body } = await this.#engine.own('copy between registries', () =>
      this.#engine.stream('POST', '/images/copy', {
        query: { from, to, platform, tlsVerify: options.tlsVerify === false ? false : undefined },
        headers: {
          ...(auth === undefined ? {} : { 'x-registry-auth': auth }),
          ...(sourceAuth === undefined ? {} : { 'x-registry-auth-source': sourceAuth }),
        },
        signal,
      }),
    );
    for await (const line of jsonLines(body)) yield line as ProgressMessage;
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

  /** `unused-for` and `keep-size` are for Sampan's daemon alone. */
  async prune(filters: Filters): Promise<PruneResult> {
    if (filters['unused-for'] !== undefined || filters['keep-size'] !== undefined)
      await this.#engine.requireSampan('prune images by their last use');
    return this.#engine.json('POST', '/images/prune', { query: { filters: encodeFilters(filters) } });
  }

  /** The query parameter of calls with `tlsVerify: false`. Docker would pass it over in silence. */
  async #unverified({ tlsVerify }: { tlsVerify?: boolean | undefined }): Promise<false | undefined> {
    if (tlsVerify !== false) return undefined;
    await this.#engine.requireSampan('leave out the check of certificates for one command');
    return false;
  }
}

function authHeader(auth: string | undefined): { headers?: Record<string, string> } {
  return auth === undefined ? {} : { headers: { 'x-registry-auth': auth } };
}
