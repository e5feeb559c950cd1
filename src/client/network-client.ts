import type { PortExposure } from '../wire/exposure.ts';
import { type EngineConnection, segment } from './engine-connection.ts';
import type { NetworkSummary, PruneResult } from './model.ts';
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

  /** Which ports are reached from where. Sampan's daemon alone can. */
  exposure(): Promise<PortExposure[]> {
    return this.#engine.own('tell which ports are reached from where', () =>
      this.#engine.json<PortExposure[]>('GET', '/exposure'),
    );
  }

  /** The daemon's own text, for those who print it. */
  async inspectText(id: string, options: { verbose?: boolean; scope?: string } = {}): Promise<string> {
    const query = { verbose: options.verbose === true ? 'true' : undefined, scope: options.scope };
    return (await this.#engine.call('GET', `/networks/${segment('network', id)}`, { query })).text;
  }

  /** `body` as Docker's `NetworkCreateRequest`. */
  create(body: object): Promise<{ Id: string; Warning?: string }> {
    return this.#engine.json('POST', '/networks/create', { json: body });
  }

  async remove(network: string): Promise<void> {
    await this.#engine.call('DELETE', `/networks/${segment('network', network)}`);
  }

  /** `settings` as Docker's `EndpointSettings`. */
  async connect(network: string, container: string, settings: object = {}): Promise<void> {
    const json = { Container: container, EndpointConfig: settings };
    await this.#engine.call('POST', `/networks/${segment('network', network)}/connect`, { json });
  }

  /** `force`: also a container that is no more. */
  async disconnect(network: string, container: string, options: { force?: boolean } = {}): Promise<void> {
    const json = { Container: container, Force: options.force === true };
    await this.#engine.call('POST', `/networks/${segment('network', network)}/disconnect`, { json });
  }

  /** Remove networks that no container has. */
  prune(filters: Readonly<Record<string, readonly string[]>> = {}): Promise<PruneResult> {
    return this.#engine.json('POST', '/networks/prune', { query: { filters: encodeFilters(filters) } });
  }
}
