import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, kindOf } from '../../errors/engine-error.ts';
import type { EventSink } from '../../events/event.ts';
import type { ExposedPorts, Exposure } from '../../network/exposure/exposure.ts';
import type { CreateNetworkRequest, NetworkInfo, Networks } from '../../network/network-driver.ts';
import type { NetworkMembership } from './container-networks.ts';
import type { NetworkBackend, NetworkView } from './network-backend.ts';

export interface NetworkServiceOptions {
  networks: Networks;
  containers: {
    /** Undefined: there is none (any more). */
    nameOf(containerId: string): string | undefined;
    isUp(containerId: string): boolean;
    /** Of those that run. */
    exposedPorts(): ExposedPorts[];
    /** On the record of how many containers a network is, running or not. */
    networkUsers(network: NetworkInfo): number;
    connectNetwork(container: string, network: NetworkInfo, settings: NetworkMembership): Promise<void>;
    disconnectNetwork(container: string, network: NetworkInfo, options: { force: boolean }): Promise<void>;
  };
  events: EventSink;
}

const LEAVING_PATIENCE_MS = 5000;
const LEAVING_POLL_MS = 5;
const PREDEFINED = ['bridge', 'host', 'none'];

/** Networks as clients see, make and remove them, with the containers on them. */
export class NetworkService implements NetworkBackend {
  readonly #options: NetworkServiceOptions;
  #pruning = false;

  constructor(options: NetworkServiceOptions) {
    this.#options = options;
  }

  async list(): Promise<NetworkView[]> {
    return (await this.#options.networks.list()).map((network) => this.#view(network));
  }

  async get(network: string): Promise<NetworkView | undefined> {
    const found = await this.#options.networks.get(network);
    return found === undefined ? undefined : this.#view(found);
  }

  async exposure(): Promise<Exposure[]> {
    const { networks, containers } = this.#options;
    return await networks.exposure(containers.exposedPorts());
  }

  async create(request: CreateNetworkRequest): Promise<NetworkInfo> {
    const network = await this.#options.networks.create(request);
    this.#publish('create', network);
    return network;
  }

  async remove(network: string): Promise<void> {
    const found = await this.#find(network);
    await this.#untilLeft(found.id);
    await this.#options.networks.remove(found.id);
    this.#publish('destroy', found);
  }

  async prune(
    isWanted: (network: NetworkInfo) => boolean,
    { signal }: { signal: AbortSignal },
  ): Promise<string[]> {
    if (this.#pruning) throw new EngineError('conflict', 'a prune operation is already running');
    this.#pruning = true;
    try {
      return await this.#prune(isWanted, signal);
    } finally {
      this.#pruning = false;
    }
  }

  async connect(network: string, container: string, settings: NetworkMembership): Promise<void> {
    const found = await this.#find(network);
    await this.#options.containers.connectNetwork(container, found, settings);
  }

  async disconnect(network: string, container: string, options: { force: boolean }): Promise<void> {
    const found = await this.#find(network);
    await this.#options.containers.disconnectNetwork(container, found, options);
  }

  async #prune(isWanted: (network: NetworkInfo) => boolean, signal: AbortSignal): Promise<string[]> {
    const { networks, containers, events } = this.#options;
    const pruned: string[] = [];
    for (const network of await networks.list()) {
      if (signal.aborted) break;
      const isUsed = containers.networkUsers(network) > 0;
      if (PREDEFINED.includes(network.name) || network.configOnly || isUsed || !isWanted(network)) continue;
      try {
        await this.remove(network.id);
      } catch (error) {
        // Somebody has joined it, or removed it, meanwhile.
        if (!['forbidden', 'not-found'].includes(kindOf(error))) throw error;
        continue;
      }
      pruned.push(network.name);
    }
    events.publish({ type: 'network', action: 'prune', actorId: '', attributes: { reclaimed: '0' } });
    return pruned;
  }

  async #find(network: string): Promise<NetworkInfo> {
    const found = await this.#options.networks.get(network);
    if (found === undefined) throw new EngineError('not-found', `network ${network} not found`);
    return found;
  }

  /** Containers that have ended, or are gone, leave by and by: whoever has seen their end may take the network away. */
  async #untilLeft(networkId: string): Promise<void> {
    const { networks, containers } = this.#options;
    const endMs = performance.now() + LEAVING_PATIENCE_MS;
    for (;;) {
      const endpoints = networks.endpointsOf(networkId);
      if (endpoints.length === 0 || endpoints.some(({ containerId }) => containers.isUp(containerId))) return;
      if (performance.now() > endMs) return;
      await sleep(LEAVING_POLL_MS);
    }
  }

  #view(network: NetworkInfo): NetworkView {
    const { networks, containers } = this.#options;
    const members = networks.endpointsOf(network.id).flatMap((endpoint) => {
      const { containerId } = endpoint;
      const name = containers.nameOf(containerId);
      return name === undefined ? [] : [{ containerId, name, endpoint }];
    });
    return { ...network, members };
  }

  #publish(action: 'create' | 'destroy', { id, name, driver }: NetworkInfo): void {
    this.#options.events.publish({
      type: 'network',
      action,
      actorId: id,
      attributes: { name, type: driver },
    });
  }
}
