import { type ContainerPathStat, PATH_STAT_HEADER } from '../wire/path-stat.ts';
import { ApiError } from './api-error.ts';
import { decodeAnswer, type EngineConnection, segment } from './engine-connection.ts';
import type {
  ContainerCreated,
  ContainerInspect,
  ContainerStatsAnswer,
  ContainerSummary,
  PruneResult,
  TopResult,
  WaitResult,
} from './model.ts';
import { encodeFilters } from './query.ts';
import type { HijackedConnection, StreamedResponse } from './transport.ts';

type Filters = Readonly<Record<string, readonly string[]>>;

export interface AttachOptions {
  stream?: boolean;
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  logs?: boolean;
  detachKeys?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface LogsOptions {
  stdout?: boolean;
  stderr?: boolean;
  follow?: boolean;
  since?: string | undefined;
  until?: string | undefined;
  tail?: string | undefined;
  timestamps?: boolean;
  details?: boolean;
  signal?: AbortSignal | undefined;
}

export interface CommitOptions {
  repository?: string | undefined;
  tag?: string | undefined;
  message?: string | undefined;
  author?: string | undefined;
  /** Dockerfile instructions. */
  changes?: readonly string[];
  /** Default true. */
  pause?: boolean;
}

export interface WritePathOptions {
  tar: Uint8Array | AsyncIterable<Uint8Array>;
  /** Refuse a directory in the place of a file, and the other way round. */
  keepKinds?: boolean;
  /** The container's user gets everything, and not who the tar says. */
  toUser?: boolean;
  signal?: AbortSignal | undefined;
}

/** When `wait` answers: the next exit, the container's removal, or as soon as it isn't running. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** `/containers`. Names and IDs may be given for every `id`. */
export class ContainerClient {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  list(options: { all?: boolean; limit?: number; size?: boolean; filters?: Filters } = {}) {
    return this.#engine.json<ContainerSummary[]>('GET', '/containers/json', {
      query: {
        all: options.all === true ? true : undefined,
        limit: options.limit,
        size: options.size === true ? true : undefined,
        filters: encodeFilters(options.filters ?? {}),
      },
    });
  }

  /** `body` is Docker's: Config's fields, `HostConfig` and `NetworkingConfig`. */
  create(body: object, options: { name?: string | undefined; platform?: string | undefined } = {}) {
    return this.#engine.json<ContainerCreated>('POST', '/containers/create', {
      query: { name: options.name || undefined, platform: options.platform || undefined },
      json: body,
    });
  }

  async inspect(id: string): Promise<ContainerInspect> {
    return decodeAnswer(await this.inspectText(id));
  }

  /** The daemon's own text, for those who print it. */
  async inspectText(id: string, options: { size?: boolean } = {}): Promise<string> {
    const query = { size: options.size === true ? true : undefined };
    return (await this.#engine.call('GET', this.#path(id, 'json'), { query })).text;
  }

  /** `body` is Docker's `UpdateConfig`: resources and `RestartPolicy`; what is zero stays. */
  update(id: string, body: object) {
    return this.#engine.json<{ Warnings: string[] | null }>('POST', this.#path(id, 'update'), { json: body });
  }

  async start(id: string, options: { detachKeys?: string | undefined } = {}): Promise<void> {
    const query = { detachKeys: options.detachKeys || undefined };
    await this.#engine.call('POST', this.#path(id, 'start'), { query });
  }

  /** @param options.timeout seconds until SIGKILL; -1 waits for ever. */
  async stop(id: string, options: { signal?: string; timeout?: number | undefined } = {}): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'stop'), {
      query: { signal: options.signal || undefined, t: options.timeout },
    });
  }

  async restart(id: string, options: { signal?: string; timeout?: number | undefined } = {}): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'restart'), {
      query: { signal: options.signal || undefined, t: options.timeout },
    });
  }

  async kill(id: string, options: { signal?: string } = {}): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'kill'), {
      query: { signal: options.signal || undefined },
    });
  }

  async pause(id: string): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'pause'));
  }

  async unpause(id: string): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'unpause'));
  }

  async rename(id: string, name: string): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'rename'), { query: { name } });
  }

  async remove(id: string, options: { force?: boolean; volumes?: boolean; link?: boolean } = {}) {
    await this.#engine.call('DELETE', `/containers/${segment('container', id)}`, {
      query: {
        force: options.force === true ? true : undefined,
        v: options.volumes === true ? true : undefined,
        link: options.link === true ? true : undefined,
      },
    });
  }

  /** Width and height in characters. */
  async resize(id: string, size: { width: number; height: number }): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'resize'), {
      query: { h: size.height, w: size.width },
    });
  }

  /**
   * Wait for `condition`. `registered` resolves when the daemon has taken the request up, so that a start after it can't be missed;
   * `result` when it is met.
   */
  wait(
    id: string,
    options: { condition?: WaitCondition; signal?: AbortSignal | undefined } = {},
  ): { registered: Promise<void>; result: Promise<WaitResult> } {
    const response = this.#engine.stream('POST', this.#path(id, 'wait'), {
      query: { condition: options.condition },
      signal: options.signal,
    });
    const result = response.then(async ({ body }) => {
      let text = '';
      const decoder = new TextDecoder();
      for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
      return decodeAnswer<WaitResult>(text);
    });
    result.catch(() => undefined);
    const registered = response.then(() => undefined);
    registered.catch(() => undefined);
    return { registered, result };
  }

  /** A duplex of the container's streams: raw with TTY, else to be taken apart by `demultiplex`. */
  attach(id: string, options: AttachOptions): Promise<HijackedConnection> {
    return this.#engine.hijack('POST', this.#path(id, 'attach'), {
      headers: { 'content-type': 'text/plain' },
      query: {
        detachKeys: options.detachKeys || undefined,
        logs: options.logs === true ? true : undefined,
        stderr: options.stderr === true ? true : undefined,
        stdin: options.stdin === true ? true : undefined,
        stdout: options.stdout === true ? true : undefined,
        stream: options.stream === true ? true : undefined,
      },
      signal: options.signal,
    });
  }

  /** Raw with TTY, else framed. `since` and `until` are unix times, `1700000000.5`. */
  logs(id: string, options: LogsOptions): Promise<StreamedResponse> {
    return this.#engine.stream('GET', this.#path(id, 'logs'), {
      query: {
        details: options.details === true ? true : undefined,
        follow: options.follow === true ? true : undefined,
        since: options.since || undefined,
        stderr: options.stderr === true ? true : undefined,
        stdout: options.stdout === true ? true : undefined,
        tail: options.tail || undefined,
        timestamps: options.timestamps === true ? true : undefined,
        until: options.until || undefined,
      },
      signal: options.signal,
    });
  }

  top(id: string, psArgs: string): Promise<TopResult> {
    return this.#engine.json('GET', this.#path(id, 'top'), { query: { ps_args: psArgs || undefined } });
  }

  /** What the container uses, with the sample of a second before. */
  stats(id: string, options: { signal?: AbortSignal | undefined } = {}): Promise<ContainerStatsAnswer> {
    return this.#engine.json('GET', this.#path(id, 'stats'), { query: { stream: false }, ...options });
  }

  /** The same every second, until it is removed. */
  followStats(
    id: string,
    options: { signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ContainerStatsAnswer, void, undefined> {
    return this.#engine.jsonLines('GET', this.#path(id, 'stats'), { query: { stream: true }, ...options });
  }

  /** What the container has changed in its file system; `Kind` is 0 for changed, 1 for added, 2 for deleted. */
  changes(id: string): Promise<{ Path: string; Kind: number }[]> {
    return this.#engine.list('GET', this.#path(id, 'changes'));
  }

  /** The container's file system as a tar. */
  async export(
    id: string,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    return (await this.#engine.stream('GET', `/containers/${segment('container', id)}/export`, options)).body;
  }

  /** What stands at a path in the container, a link not followed; undefined: nothing does, or there is no such container. */
  async statPath(
    id: string,
    path: string,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<ContainerPathStat | undefined> {
    try {
      const { header, body } = await this.#engine.stream('HEAD', this.#path(id, 'archive'), {
        query: { path },
        ...options,
      });
      for await (const _ of body);
      return decodePathStat(header(PATH_STAT_HEADER));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** A file, or a directory with all that is in it, as a tar whose members begin with its name. */
  async readPath(
    id: string,
    path: string,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<{ stat: ContainerPathStat; tar: AsyncIterable<Uint8Array> }> {
    const { header, body } = await this.#engine.stream('GET', this.#path(id, 'archive'), {
      query: { path },
      ...options,
    });
    return { stat: decodePathStat(header(PATH_STAT_HEADER)), tar: body };
  }

  /** Unpack a tar, compressed or not, into a directory of the container. */
  async writePath(id: string, path: string, options: WritePathOptions): Promise<void> {
    await this.#engine.call('PUT', this.#path(id, 'archive'), {
      query: {
        path,
        noOverwriteDirNonDir: options.keepKinds === true ? true : undefined,
        copyUIDGID: options.toUser === true ? true : undefined,
      },
      body: options.tar,
      contentType: 'application/x-tar',
      signal: options.signal,
    });
  }

  /** Paths in the container that fit a pattern with wildcards. @throws EngineError "not-implemented" for a daemon that isn't Sampan's. */
  matchPaths(id: string, pattern: string): Promise<string[]> {
    return this.#engine.own('resolve wildcards in a container', () =>
      this.#engine.list<string>('GET', this.#path(id, 'archive/matches'), { query: { pattern } }),
    );
  }

  /** Make an image of the container's file system and configuration. */
  commit(id: string, options: CommitOptions = {}): Promise<{ Id: string }> {
    return this.#engine.json('POST', '/commit', {
      query: {
        container: id,
        repo: options.repository ?? '',
        tag: options.tag ?? '',
        comment: options.message ?? '',
        author: options.author ?? '',
        changes: options.changes ?? [],
        pause: options.pause === false ? false : undefined,
      },
    });
  }

  prune(filters: Filters): Promise<PruneResult> {
    return this.#engine.json('POST', '/containers/prune', { query: { filters: encodeFilters(filters) } });
  }

  #path(id: string, action: string): string {
    return `/containers/${segment('container', id)}/${action}`;
  }
}

/** @throws EngineError "invalid" when a daemon's header is no such thing. */
function decodePathStat(header: string | undefined): ContainerPathStat {
  const bytes = Uint8Array.from(atob(header ?? ''), (character) => character.charCodeAt(0));
  const { name, size, mode, mtime, linkTarget } = decodeAnswer<Partial<ContainerPathStat>>(
    new TextDecoder().decode(bytes),
  );
  return {
    name: String(name ?? ''),
    size: Number(size ?? 0),
    mode: Number(mode ?? 0),
    mtime: String(mtime ?? ''),
    linkTarget: String(linkTarget ?? ''),
  };
}
