import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { HostNetwork } from './host-network.ts';
import type { NamedContainer, NamedEndpoint, NamePorts, NameServer } from './names/name-server.ts';
import type { NetworkBook } from './network-book.ts';
import type { Endpoint } from './network-driver.ts';
import { servesNames } from './predefined-networks.ts';

const MAX_TRIES = 20;
const PAUSE_MS = 50;

export interface ContainerNamesOptions {
  book: NetworkBook;
  server: NameServer;
  host: HostNetwork;
  namespacePath: (containerId: string) => string;
  logger: Logger;
}

/** Tells the name server of what is on the books, and leads containers to it. */
export class ContainerNames {
  readonly #options: ContainerNamesOptions;
  /** Where each container is led to. */
  readonly #ports = new Map<string, NamePorts>();
  #restoring: Promise<void> | undefined;
  #lostAgain = false;

  constructor(options: ContainerNamesOptions) {
    this.#options = options;
    options.server.onLost(() => this.#lost());
  }

  /** Once it resolves, the endpoint is found by its names, and its container finds others. */
  async joined(endpoint: Endpoint): Promise<void> {
    if (servesNames(endpoint)) await this.#options.server.add(namedEndpoint(endpoint));
    await this.refresh(endpoint.containerId);
  }

  async left(endpoint: Endpoint): Promise<void> {
    if (!servesNames(endpoint)) return;
    await this.#attempt('take a name back', () => this.#options.server.remove(endpoint.endpointId));
    if (this.#ports.has(endpoint.containerId))
      await this.#attempt('serve names', () => this.refresh(endpoint.containerId));
  }

  async renamed(endpoint: Endpoint): Promise<void> {
    if (servesNames(endpoint)) await this.#options.server.add(namedEndpoint(endpoint));
  }

  async gone(containerId: string): Promise<void> {
    if (!this.#ports.delete(containerId)) return;
    await this.#attempt('let a container go', () => this.#options.server.forget(containerId));
  }

  /** Whoever runs takes over what is on the books. A container with a name server of an earlier process is led to the new one. */
  async restore(): Promise<void> {
    const { book, server } = this.#options;
    const endpoints = book.endpoints().filter(servesNames);
    const ids = [...new Set(endpoints.map(({ containerId }) => containerId))];
    if (ids.length === 0 && this.#ports.size === 0) return;
    const containers = ids.map((id) => this.#namedContainer(id));
    const ports = await server.adopt({ containers, endpoints: endpoints.map(namedEndpoint) });
    this.#ports.clear();
    for (const [id, own] of ports)
      await this.#attempt('lead a container to its name server', () => this.#lead(id, own));
  }

  get isEmpty(): boolean {
    return this.#ports.size === 0;
  }

  /** Its networks have changed. */
  async refresh(containerId: string): Promise<void> {
    const { book, server } = this.#options;
    if (!book.endpointsOf(containerId).some(servesNames)) return;
    await this.#lead(containerId, await server.serve(this.#namedContainer(containerId)));
  }

  async #lead(containerId: string, ports: NamePorts): Promise<void> {
    const known = this.#ports.get(containerId);
    if (known?.udp === ports.udp && known.tcp === ports.tcp) return;
    await this.#options.host.redirectNames(this.#options.namespacePath(containerId), ports);
    this.#ports.set(containerId, ports);
  }

  #namedContainer(id: string): NamedContainer {
    const { book, namespacePath } = this.#options;
    const endpoints = book.endpointsOf(id);
    const reachesOutside = endpoints.some(({ networkId }) => book.byId(networkId)?.internal !== true);
    return {
      id,
      namespacePath: namespacePath(id),
      networks: endpoints.filter(servesNames).map(({ networkId }) => networkId),
      links: Object.assign({}, ...endpoints.map(({ links }) => links)) as Record<string, string>,
      forwarding: reachesOutside
        ? endpoints.find(({ forwarding }) => forwarding !== undefined)?.forwarding
        : undefined,
    };
  }

  /** Its process has ended: the next one takes over at once, containers are asking. */
  #lost(): void {
    this.#lostAgain = true;
    if (this.isEmpty || this.#restoring !== undefined) return;
    this.#options.logger.warn('The name server of containers has ended: starting it again');
    this.#restoring = this.#restoreAgain().finally(() => {
      this.#restoring = undefined;
    });
  }

  /** One that is being killed may take a connection yet, and lose it. */
  async #restoreAgain(): Promise<void> {
    for (let tries = 0; this.#lostAgain && tries < MAX_TRIES; tries++) {
      this.#lostAgain = false;
      await this.#attempt('start the name server again', () => this.restore());
      await sleep(PAUSE_MS);
    }
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.logger.warn(`Cannot ${what}`, { error: messageOf(error) });
    }
  }
}

function namedEndpoint(endpoint: Endpoint): NamedEndpoint {
  const { endpointId: id, networkId, networkName, names, ipv4, ipv6 } = endpoint;
  const addresses = [ipv4, ipv6].flatMap((one) => (one === undefined ? [] : [one.address]));
  return { id, networkId, networkName, names, addresses };
}
