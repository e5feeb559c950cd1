import { type EngineConnection, segment } from './engine-connection.ts';
import type { NetworkSummary } from './model.ts';
import { encodeFilters } from './query.ts';

/** `/networks`. */
export class NetworkClient {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  list(filters: Readonly<Record<string, readonly string[]>> = {}): Promise<NetworkSummary[]> {
    return this.#engine.json('GET', '/networks', { query: { filters: encodeFilters(filters) } });
  }

  /** The daemon's own text, for those who print it. */
  async inspectText(id: string, options: { verbose?: boolean; scope?: string } = {}): Promise<string> {
    const query = { verbose: options.verbose === true ? 'true' : undefined, scope: options.scope };
    return (await this.#engine.call('GET', `/networks/${segment(id)}`, { query })).text;
  }
}
