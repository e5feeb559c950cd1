import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf, kindOf, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { IpPrefix } from '../sys/links.ts';
import type { ContainerNames } from './container-names.ts';
import { interfaceNameFault, parseInterfaceSysctl, renameFault } from './endpoint-options.ts';
import type { HostBridges } from './host-bridges.ts';
import type { AttachRequest, HostNetwork } from './host-network.ts';
import type { NetworkBook } from './network-book.ts';
import type { ConnectRequest, Endpoint, NetworkInfo } from './network-driver.ts';
import { addressFaults } from './plan-network.ts';

export interface ContainerInterfacesOptions {
  book: NetworkBook;
  bridges: HostBridges;
  host: HostNetwork;
  names: ContainerNames;
  /** Namespaces are pinned in it, by container. */
  folder: string;
  /** What our interfaces on the host begin with. */
  prefix: string;
  /** How many of a network have a port of its bridge. */
  portsPerBridge: number;
  logger: Logger;
  isStarted: () => boolean;
  /** Make what networks stand on anew. */
  repair: () => Promise<void>;
}

/** Of an interface that is to be. */
interface Wanted {
  network: NetworkInfo;
  sysctls: readonly string[];
}

const CONTAINER_ID = /^[0-9a-z][0-9a-zA-Z_.-]*$/;

/** Namespaces of containers, and the interfaces in them: what of the networks belongs to a container. */
export class ContainerInterfaces {
  readonly #options: ContainerInterfacesOptions;
  readonly #book: NetworkBook;
  readonly #host: HostNetwork;
  readonly #names: ContainerNames;
  /** Of this daemon: namespaces that were ready when they were needed, and those that had to be made. */
  readonly namespaceCounts = { ready: 0, made: 0 };
  readonly #namespaces = new Set<string>();
  /** Interfaces on their way out, with the container whose namespace they are in. */
  readonly #removals = new Map<Promise<void>, string | undefined>();

  constructor(options: ContainerInterfacesOptions) {
    this.#options = options;
    this.#book = options.book;
    this.#host = options.host;
    this.#names = options.names;
  }

  /** Whether any container has a namespace of ours. */
  get hasNamespaces(): boolean {
    return this.#namespaces.size > 0;
  }

  async createNamespace(
    containerId: string,
    { userNamespace }: { userNamespace?: number | undefined } = {},
  ): Promise<string> {
    const path = this.namespacePath(containerId);
    const wasReady = await this.#host.createNamespace(path, userNamespace);
    this.namespaceCounts[wasReady ? 'ready' : 'made']++;
    this.#namespaces.add(containerId);
    return path;
  }

  async removeNamespace(containerId: string): Promise<void> {
    await this.#names.gone(containerId);
    await this.#host.removeNamespace(this.namespacePath(containerId));
    this.#namespaces.delete(containerId);
    for (const [removal, owner] of this.#removals) {
      if (owner === containerId) this.#removals.set(removal, undefined);
    }
  }

  namespacePath(containerId: string): string {
    if (!CONTAINER_ID.test(containerId)) {
      throw new EngineError('invalid', `Invalid container id ${JSON.stringify(containerId)}`);
    }
    return join(this.#options.folder, containerId);
  }

  async connect(request: ConnectRequest): Promise<Endpoint> {
    const network = this.#book.find(request.network);
    if (network === undefined) throw new EngineError('not-found', `network ${request.network} not found`);
    if (network.configOnly)
      throw new EngineError('forbidden', 'cannot create endpoint on configuration-only network');
    checkRequest(network, request);
    const endpointId = randomBytes(32).toString('hex');
    if (network.driver === 'host' || network.driver === 'null')
      return this.#book.join(request, network.id, endpointId);
    if (!this.#options.isStarted()) throw new EngineError('unavailable', 'The network is not started');
    await this.#leftBehind(request.containerId);
    const sysctls = request.sysctls ?? [];
    const booked = this.#book.join(request, network.id, endpointId);
    const endpoint = await this.#attachBooked(booked, { network, sysctls });
    try {
      await this.#names.joined(endpoint);
    } catch (error) {
      await this.disconnect(endpoint);
      throw error;
    }
    return endpoint;
  }

  /** What fails leaves no interface of ours; one of that name that is there is somebody else's. */
  async #attachBooked(endpoint: Endpoint, wanted: Wanted): Promise<Endpoint> {
    try {
      return await this.#attach(endpoint, wanted);
    } catch (error) {
      this.#book.leave(endpoint.endpointId);
      throw error;
    }
  }

  async disconnect(endpoint: Endpoint): Promise<void> {
    // What isn't on the books is gone or going, and its address may be somebody else's by now.
    if (!this.#book.leave(endpoint.endpointId)) return;
    if (endpoint.interfaceName === '') return;
    // Whoever gets the address next has the same MAC address, so nobody's ARP table is wrong meanwhile.
    const removal = this.#removeInterface(endpoint).finally(() => this.#removals.delete(removal));
    this.#removals.set(removal, endpoint.containerId);
    await this.#names.left(endpoint);
    if (this.#book.endpointsOf(endpoint.containerId).length === 0) return;
    await removal;
    try {
      await this.#setWays(endpoint.containerId);
    } catch (error) {
      this.#options.logger.error('Cannot set the routes of a container', { error: messageOf(error) });
    }
  }

  async rename(containerId: string, names: (networkId: string) => string[]): Promise<Endpoint[]> {
    const renamed = this.#book
      .endpointsOf(containerId)
      .map((endpoint) => ({ ...endpoint, names: names(endpoint.networkId) }));
    for (const endpoint of renamed) {
      this.#book.update(endpoint);
      await this.#names.renamed(endpoint);
    }
    return renamed;
  }

  /** At a restart of the daemon: interfaces and namespaces of ours that are not among these go. */
  async removeOrphans(keep: readonly Endpoint[], namespaces: ReadonlySet<string>): Promise<void> {
    const kept = new Set(keep.map(({ hostInterfaceName }) => hostInterfaceName));
    for (const { name, kind } of await this.#host.links()) {
      if (kind !== 'veth' || !name.startsWith(this.#options.prefix) || kept.has(name)) continue;
      this.#options.logger.info('Removing an orphaned interface', { interface: name });
      await this.#host.removeLink(name);
    }
    for (const name of await this.#pinnedNamespaces()) {
      if (namespaces.has(name)) {
        this.#namespaces.add(name);
        continue;
      }
      this.#options.logger.info('Removing an orphaned network namespace', { container: name });
      await this.#host.removeNamespace(join(this.#options.folder, name));
    }
  }

  /** What is on its way out is gone then. */
  async settle(): Promise<void> {
    await Promise.all(this.#removals.keys());
  }

  async #attach(endpoint: Endpoint, { network, sysctls }: Wanted): Promise<Endpoint> {
    const { containerId, endpointId } = endpoint;
    const hostInterfaceName = this.#hasPortFor(network)
      ? `${this.#options.prefix}${endpointId.slice(0, 8)}`
      : '';
    const named = { ...endpoint, hostInterfaceName };
    this.#book.update(named);
    const request: AttachRequest = {
      namespacePath: this.namespacePath(containerId),
      to: this.#options.bridges.attachment(network, hostInterfaceName),
      interfaceName: endpoint.interfaceName,
      macAddress: endpoint.macAddress === '' ? undefined : endpoint.macAddress,
      addresses: addressesOf(endpoint),
      sysctls: sysctls.map((text) => parseInterfaceSysctl(text)),
      ways: this.#book.waysOf(containerId),
      mtu: this.#options.bridges.mtuOf(network),
    };
    checkName(request.interfaceName, hostInterfaceName || 'trunk');
    const macAddress = await this.#host.attach(request).catch(async (error: unknown) => {
      if (kindOf(error) !== 'unavailable') throw error;
      this.#options.logger.warn('What a network stands on is gone: making it anew', {
        network: network.name,
      });
      await this.#options.repair();
      return await this.#host.attach(request);
    });
    const attached = { ...named, macAddress };
    this.#book.update(attached);
    return attached;
  }

  /** What is on its way out has its port still. */
  #hasPortFor(network: NetworkInfo): boolean {
    if (network.driver !== 'bridge') return false;
    const held = this.#book
      .endpointsOn(network.id)
      .filter(({ hostInterfaceName }) => hostInterfaceName !== '');
    return held.length + this.#removals.size < this.#options.portsPerBridge;
  }

  async #setWays(containerId: string): Promise<void> {
    await this.#host.setWays(this.namespacePath(containerId), this.#book.waysOf(containerId));
  }

  async #removeInterface(endpoint: Endpoint): Promise<void> {
    const { hostInterfaceName, interfaceName, containerId } = endpoint;
    try {
      if (hostInterfaceName !== '') await this.#host.removeLink(hostInterfaceName);
      else await this.#host.removeLinkInside(this.namespacePath(containerId), interfaceName);
    } catch (error) {
      this.#book.hold(endpoint);
      this.#options.logger.warn('Cannot remove an interface; the next start will', {
        interface: hostInterfaceName || interfaceName,
        error: messageOf(error),
      });
    }
  }

  /** In the same namespace a new interface of the same name needs the old one gone. */
  async #leftBehind(containerId: string): Promise<void> {
    const own = [...this.#removals].filter(([, owner]) => owner === containerId);
    await Promise.all(own.map(([removal]) => removal));
  }

  async #pinnedNamespaces(): Promise<string[]> {
    try {
      return await readdir(this.#options.folder);
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }
}

/** @throws EngineError "internal" in Docker's words, which gives an interface its name once it is made. */
function checkName(name: string, madeAs: string): void {
  const fault = interfaceNameFault(name);
  if (fault !== undefined) throw new EngineError('internal', renameFault(name, { madeAs, fault }));
}

/** @throws EngineError "invalid" in Docker's words. */
function checkRequest(network: NetworkInfo, { ipv4Address, ipv6Address }: ConnectRequest): void {
  const faults = addressFaults(network, { ipv4: ipv4Address, ipv6: ipv6Address });
  if (faults.length > 0) throw new EngineError('invalid', faults.join('\n'));
}

function addressesOf({ ipv4, ipv6, linkLocalAddresses }: Endpoint): IpPrefix[] {
  const own = [ipv4, ipv6].flatMap((one) =>
    one === undefined ? [] : [{ address: one.address, prefixLength: one.prefixLength }],
  );
  const linkLocal = linkLocalAddresses.map((address) => ({
    address,
    prefixLength: address.includes(':') ? 64 : 16,
  }));
  return [...own, ...linkLocal];
}
