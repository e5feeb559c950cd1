import { type EngineConnection, segment } from './engine-connection.ts';
import type { PruneResult, VolumeInspect, VolumeList } from './model.ts';
import { encodeFilters } from './query.ts';

export interface VolumeAttributes {
  labels?: Readonly<Record<string, string>> | undefined;
  /** `uid:gid` or `uid`, in numbers. */
  owner?: string | undefined;
  /** Octal, `0750`. */
  mode?: string | undefined;
}

export interface CreateVolumeOptions extends VolumeAttributes {
  /** One is chosen where there is none. */
  name?: string | undefined;
  driver?: string | undefined;
  driverOpts?: Readonly<Record<string, string>> | undefined;
}

type Filters = Readonly<Record<string, readonly string[]>>;

/** `/volumes`. */
export class VolumeClient {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  list(filters: Filters = {}): Promise<VolumeList> {
    return this.#engine.json('GET', '/volumes', { query: { filters: encodeFilters(filters) } });
  }

  /** Make a volume; one that is there already is the answer. `owner` and `mode` are for Sampan's daemon alone. */
  async create(options: CreateVolumeOptions = {}): Promise<VolumeInspect> {
    const { owner, mode } = options;
    if (owner !== undefined || mode !== undefined)
      await this.#engine.requireSampan('give a volume an owner or a mode');
    return await this.#engine.json('POST', '/volumes/create', { json: createBody(options) });
  }

  /** What it holds as a tar, the folder itself first. Sampan's daemon alone can. */
  async export(name: string, { signal }: { signal?: AbortSignal } = {}): Promise<AsyncIterable<Uint8Array>> {
    const path = `${volumePath(name)}/export`;
    const call = () => this.#engine.stream('GET', path, { signal });
    return (await this.#engine.own('export a volume', call)).body;
  }

  /** A new volume from a tar, compressed or not. Sampan's daemon alone can. */
  import(
    name: string,
    body: AsyncIterable<Uint8Array> | Uint8Array,
    options: VolumeAttributes & { signal?: AbortSignal } = {},
  ): Promise<VolumeInspect> {
    const { labels = {}, owner, mode, signal } = options;
    const label = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    return this.#engine.own('import a volume', () =>
      this.#engine.json('POST', `${volumePath(name)}/import`, {
        query: { label, owner, mode },
        body,
        contentType: 'application/x-tar',
        signal,
      }),
    );
  }

  /** A new volume with what another one holds. Sampan's daemon alone can. */
  clone(
    source: string,
    name: string,
    options: VolumeAttributes & { signal?: AbortSignal } = {},
  ): Promise<VolumeInspect> {
    const { signal, ...attributes } = options;
    return this.#engine.own('clone a volume', () =>
      this.#engine.json('POST', `${volumePath(source)}/clone`, {
        json: createBody({ name, ...attributes }),
        signal,
      }),
    );
  }

  /** The daemon's own text, for those who print it. */
  async inspectText(name: string): Promise<string> {
    return (await this.#engine.call('GET', volumePath(name))).text;
  }

  /** `force`: absent is fine. */
  async remove(name: string, options: { force?: boolean } = {}): Promise<void> {
    const query = { force: options.force === true ? true : undefined };
    await this.#engine.call('DELETE', volumePath(name), { query });
  }

  /** Remove volumes that no container has: those without a name, unless the filter `all` says `true`. */
  prune(filters: Filters = {}): Promise<PruneResult> {
    return this.#engine.json('POST', '/volumes/prune', { query: { filters: encodeFilters(filters) } });
  }
}

function createBody(options: CreateVolumeOptions): Record<string, unknown> {
  const { name, driver, driverOpts, labels, owner, mode } = options;
  const some = (map: Readonly<Record<string, string>> | undefined) =>
    map === undefined || Object.keys(map).length === 0 ? undefined : map;
  return {
    Name: name,
    Driver: driver,
    DriverOpts: some(driverOpts),
    Labels: some(labels),
    Owner: owner,
    Mode: mode,
  };
}

/** @throws EngineError "invalid": an empty name would be a call about all of them. */
function volumePath(name: string): string {
  return `/volumes/${segment('volume', name)}`;
}
