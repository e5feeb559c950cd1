import { EngineError } from '../errors/engine-error.ts';
import { type EngineConnection, segment } from './engine-connection.ts';
import type { PruneResult, VolumeList } from './model.ts';
import { encodeFilters } from './query.ts';

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

/** @throws EngineError "invalid": an empty name would be a call about all of them. */
function volumePath(name: string): string {
  if (name.trim() === '') throw new EngineError('invalid', 'invalid volume name or ID: value is empty');
  return `/volumes/${segment(name.trim())}`;
}
