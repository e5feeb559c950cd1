import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf, kindOf, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { nowNano } from '../sys/clock.ts';
import type { IpPrefix } from '../sys/links.ts';
import { checkInterfaceName } from './bridge-options.ts';
import { ContainerNames } from './container-names.ts';
import { type Firewall, NftFirewall } from './firewall.ts';
import { FirewallKeeper } from './firewall-keeper.ts';
import { checkBip, HostBridges } from './host-bridges.ts';
import type { AttachRequest, HostNetwork } from './host-network.ts';
import type { NameServer } from './names/name-server.ts';
import { ProcessNameServer } from './names/process-name-server.ts';
import { NetworkBook } from './network-book.ts';
import type {
  ConnectRequest,
  CreateNetworkRequest,
  Endpoint,
  NetworkInfo,
  Networks,
} from './network-driver.ts';
import { MemoryNetworkStore, type NetworkStore } from './network-store.ts';
import { addressFaults, planNetwork } from './plan-network.ts';
import type { PortHolder } from './ports/port-holder.ts';
import { PortPublisher } from './ports/port-publisher.ts';
import { ProcessPortHolder } from './ports/process-port-holder.ts';
import { type PredefinedNetworksInput, predefinedNetworks } from './predefined-networks.ts';
import { forBridge, type ResolvConf, readHostResolvConf, readResolvConf } from './resolv-conf.ts';
import type { FirewallState } from './ruleset.ts';
import { defaultPools, type SubnetPool } from './subnet-pools.ts';
import { WorkerHostNetwork } from './worker-host-network.ts';

export interface BridgeNetworksOptions {
  /** Namespaces are pinned in `netns/` below it; the name server's socket is in `names/`. */
  execRoot: string;
  /**
   * What tells this daemon's bridges, interfaces and nft table from those of others, the same at each start: the data root's path, say.
   */
  owner: string;
  logger: Logger;
  /** Default: `sampan0` unless another daemon has it, then a name made from `owner`. */
  bridgeName?: string;
  /** The bridge's address with its subnet, `172.17.0.1/16`. Default: the first of Docker's default subnets that is free here. */
  bip?: string;
  mtu?: number;
  /** Where subnets come from that nobody names; default: Docker's. */
  pools?: readonly SubnetPool[];
  /** When the predefined networks were made, for inspect; default: now. */
  createdNano?: bigint;
  /** How often the firewall is looked after while containers are on a bridge. */
  firewallCheckMs?: number;
  /** Networks of users; default: in memory. */
  store?: NetworkStore;
  host?: HostNetwork;
  firewall?: Firewall;
  names?: NameServer;
  portHolder?: PortHolder;
}

const DEFAULT_MTU = 1500;
const FIREWALL_CHECK_MS = 15_000;
const CONTAINER_ID = /^[0-9a-z][0-9a-zA-Z_.-]*$/;

/** Networks on this machine: bridges behind NAT, `host` and `none`, macvlan and ipvlan. */
export class BridgeNetworks implements Networks {
  readonly #options: BridgeNetworksOptions;
  readonly #host: HostNetwork;
  readonly #store: NetworkStore;
  readonly #suffix: string;
  readonly #createdNano: bigint;
  readonly #pools: readonly SubnetPool[];
  readonly #bridges: HostBridges;
  readonly #firewall: FirewallKeeper;
  readonly #nameServer: NameServer;
  readonly #names: ContainerNames;
  readonly ports: PortPublisher;
  readonly #book = new NetworkBook();
  readonly #namespaces = new Set<string>();
  /** Interfaces on their way out, with the container whose namespace they are in. */
  readonly #removals = new Map<Promise<void>, string | undefined>();
  /** Networks are made and removed one after the other. */
  #changes: Promise<unknown> = Promise.resolve();
  #started = false;

  constructor(options: BridgeNetworksOptions) {
    if (options.bridgeName !== undefined) checkDefaultName(options.bridgeName);
    if (options.bip !== undefined) checkBip(options.bip);
    const { logger } = options;
    this.#options = options;
    const host = options.host ?? new WorkerHostNetwork();
    this.#host = host;
    this.#store = options.store ?? new MemoryNetworkStore();
    this.#suffix = createHash('sha256').update(options.owner).digest('hex').slice(0, 8);
    this.#createdNano = options.createdNano ?? nowNano();
    this.#pools = withBothFamilies(options.pools ?? [], defaultPools(options.owner));
    this.#bridges = new HostBridges({
      host,
      suffix: this.#suffix,
      bridgeName: options.bridgeName,
      bip: options.bip,
      mtu: this.#mtu,
      pools: this.#pools,
      logger,
    });
    this.#firewall = new FirewallKeeper({
      firewall: options.firewall ?? new NftFirewall((commands) => host.nft(commands)),
      state: () => this.#firewallState(),
      isNeeded: () => this.#book.endpoints().some(({ hostInterfaceName }) => hostInterfaceName !== ''),
      checkMs: options.firewallCheckMs ?? FIREWALL_CHECK_MS,
      logger,
    });
    this.#nameServer =
      options.names ?? new ProcessNameServer({ directory: join(options.execRoot, 'names'), logger });
    this.#names = new ContainerNames({
      book: this.#book,
      server: this.#nameServer,
      host,
      namespacePath: (id) => this.namespacePath(id),
      logger,
    });
    this.ports = new PortPublisher({
      holder:
        options.portHolder ?? new ProcessPortHolder({ directory: join(options.execRoot, 'ports'), logger }),
      table: this.#table,
      changeRules: (commands) => this.#firewall.change(commands),
      logger,
    });
    for (const network of this.#predefined(undefined)) this.#book.put(network);
  }

  async start(): Promise<void> {
    if (!this.#started) {
      for (const network of await this.#store.load()) this.#book.put(network);
      await this.ports.find();
    }
    await this.#host.exclusively(() => this.#ensureAll());
    this.#started = true;
    await this.#firewall.apply();
    await this.#firewall.repair();
    this.#firewall.watch();
  }

  /** What `info` has to say about other people's firewalls. */
  warnings(): readonly string[] {
    return this.#firewall.warnings;
  }

  create(request: CreateNetworkRequest): Promise<NetworkInfo> {
    return this.#changing(() => this.#host.exclusively(() => this.#create(request)));
  }

  remove(networkId: string): Promise<void> {
    return this.#changing(async () => {
      const network = this.#book.byId(networkId);
      if (network === undefined) throw new EngineError('not-found', `network ${networkId} not found`);
      this.#checkUnused(network);
      await this.#store.remove(networkId);
      this.#book.drop(networkId);
      await this.#attempt('unload the rules of a network', () => this.#firewall.apply());
      await this.#attempt('remove the interface of a network', () => this.#bridges.remove(network));
    });
  }

  endpointsOf(networkId: string): Endpoint[] {
    return this.#book.endpointsOn(networkId);
  }

  async createNamespace(containerId: string): Promise<string> {
    const path = this.namespacePath(containerId);
    await this.#host.createNamespace(path);
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
    return join(this.#namespaceFolder, containerId);
  }

  async connect(request: ConnectRequest): Promise<Endpoint> {
    const network = this.#book.find(request.network);
    if (network === undefined) throw new EngineError('not-found', `network ${request.network} not found`);
    this.#checkRequest(network, request);
    const endpointId = randomBytes(32).toString('hex');
    if (network.driver === 'host' || network.driver === 'null')
      return this.#book.join(request, network.id, endpointId);
    if (!this.#started) throw new EngineError('unavailable', 'The network is not started');
    await this.#leftBehind(request.containerId);
    const endpoint = await this.#attachBooked(this.#book.join(request, network.id, endpointId), network);
    try {
      await this.#names.joined(endpoint);
    } catch (error) {
      await this.disconnect(endpoint);
      throw error;
    }
    return endpoint;
  }

  /** What fails leaves no interface of ours; one of that name that is there is somebody else's. */
  async #attachBooked(endpoint: Endpoint, network: NetworkInfo): Promise<Endpoint> {
    try {
      return await this.#attach(endpoint, network);
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
    await this.#attempt('set the routes of a container', () => this.#setWays(endpoint.containerId));
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

  list(): Promise<NetworkInfo[]> {
    return Promise.resolve(this.#book.infos());
  }

  get(network: string): Promise<NetworkInfo | undefined> {
    return Promise.resolve(this.#book.find(network));
  }

  async resolvConf(network: 'host' | 'own'): Promise<ResolvConf> {
    if (network === 'host') return await readResolvConf();
    return forBridge(await readHostResolvConf());
  }

  async recover(keep: readonly Endpoint[], namespaces: ReadonlySet<string>): Promise<void> {
    for (const endpoint of keep) this.#book.adopt(endpoint);
    // A bridge may be a new one, whose predecessor somebody removed with these in it.
    if (this.#started && keep.length > 0) await this.#host.exclusively(() => this.#ensureAll());
    const kept = new Set(keep.map(({ hostInterfaceName }) => hostInterfaceName));
    for (const { name, kind } of await this.#host.links()) {
      if (kind !== 'veth' || !name.startsWith(this.#interfacePrefix) || kept.has(name)) continue;
      this.#options.logger.info('Removing an orphaned interface', { interface: name });
      await this.#host.removeLink(name);
    }
    for (const name of await this.#pinnedNamespaces()) {
      if (namespaces.has(name)) {
        this.#namespaces.add(name);
        continue;
      }
      this.#options.logger.info('Removing an orphaned network namespace', { container: name });
      await this.#host.removeNamespace(join(this.#namespaceFolder, name));
    }
    await this.#attempt('find the name server of containers again', () => this.#names.restore());
  }

  async close(): Promise<void> {
    await this.#changes.catch(() => undefined);
    await Promise.all(this.#removals.keys());
    const isEmpty = this.#book.endpoints().length === 0 && this.#namespaces.size === 0;
    await this.#firewall.close({ remove: isEmpty && this.#started });
    if (isEmpty && this.#started)
      for (const network of this.#book.infos()) await this.#bridges.remove(network);
    await this.#nameServer.close({ stop: isEmpty });
    await this.ports.close();
    await this.#host.close();
  }

  async #create(request: CreateNetworkRequest): Promise<NetworkInfo> {
    const networks = this.#book.infos();
    const planned = planNetwork(request, {
      networks,
      used: await this.#bridges.usedSubnets(undefined),
      pools: this.#pools,
      createdNano: nowNano(),
    });
    if (planned.driver === 'bridge') this.#checkBridgeName(planned, networks);
    const network = this.#book.put(planned);
    try {
      await this.#store.insert(network);
      await this.#bridges.ensure(network, []);
      await this.#firewall.apply();
      await this.#firewall.repair();
    } catch (error) {
      this.#book.drop(network.id);
      await this.#attempt('take a network back', async () => {
        await this.#bridges.remove(network);
        await this.#firewall.apply();
        await this.#store.remove(network.id);
      });
      throw error;
    }
    return network;
  }

  #checkBridgeName(planned: NetworkInfo, networks: readonly NetworkInfo[]): void {
    const name = this.#bridges.bridgeName(planned);
    const other = networks.find((one) => one.driver === 'bridge' && this.#bridges.bridgeName(one) === name);
    if (other !== undefined)
      throw new EngineError(
        'forbidden',
        `cannot create network ${planned.id} (${name}): conflicts with network ${other.id} (${name}): networks have same bridge name`,
      );
  }

  #checkUnused(network: NetworkInfo): void {
    const { id, name } = network;
    if (this.#isPredefined(network))
      throw new EngineError('forbidden', `${name} is a pre-defined network and cannot be removed`);
    const endpoints = this.#book.endpointsOn(id);
    if (endpoints.length === 0) return;
    const users = endpoints.map(
      (one) =>
        `name:${JSON.stringify(one.names[0] ?? one.containerId.slice(0, 12))} id:"${one.endpointId.slice(0, 12)}"`,
    );
    throw new EngineError(
      'forbidden',
      `error while removing network: network ${name} has active endpoints (${users.join(', ')})`,
    );
  }

  /** @throws EngineError "invalid" in Docker's words. */
  #checkRequest(network: NetworkInfo, { ipv4Address, ipv6Address }: ConnectRequest): void {
    const faults = addressFaults(network, { ipv4: ipv4Address, ipv6: ipv6Address });
    if (faults.length > 0) throw new EngineError('invalid', faults.join('\n'));
  }

  async #ensureAll(): Promise<void> {
    const users = this.#book.infos().filter((network) => !this.#isPredefined(network));
    const present = this.#book.find('bridge');
    const chosen =
      present === undefined || present.ipam.length === 0
        ? await this.#bridges.chooseDefault(users)
        : undefined;
    if (chosen !== undefined) for (const network of this.#predefined(chosen)) this.#book.put(network);
    const [bridge] = this.#book.infos().filter(({ name }) => name === 'bridge');
    if (bridge !== undefined) await this.#bridges.ensure(bridge, this.#book.endpointsOn(bridge.id));
    for (const network of users)
      await this.#attempt(`set up network ${network.name}`, () =>
        this.#bridges.ensure(network, this.#book.endpointsOn(network.id)),
      );
    await this.#bridges.removeOrphans(users);
  }

  async #attach(endpoint: Endpoint, network: NetworkInfo): Promise<Endpoint> {
    const { containerId, endpointId } = endpoint;
    const hostInterfaceName =
      network.driver === 'bridge' ? `${this.#interfacePrefix}${endpointId.slice(0, 8)}` : '';
    const named = { ...endpoint, hostInterfaceName };
    this.#book.update(named);
    const request: AttachRequest = {
      namespacePath: this.namespacePath(containerId),
      to: this.#bridges.attachment(network, hostInterfaceName),
      interfaceName: endpoint.interfaceName,
      macAddress: endpoint.macAddress === '' ? undefined : endpoint.macAddress,
      addresses: addressesOf(endpoint),
      ways: this.#book.waysOf(containerId),
      mtu: this.#bridges.mtuOf(network),
    };
    const macAddress = await this.#host.attach(request).catch(async (error: unknown) => {
      if (kindOf(error) !== 'unavailable') throw error;
      this.#options.logger.warn('What a network stands on is gone: making it anew', {
        network: network.name,
      });
      await this.start();
      return await this.#host.attach(request);
    });
    const attached = { ...named, macAddress };
    this.#book.update(attached);
    return attached;
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

  #changing<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(change);
    this.#changes = done.catch(() => undefined);
    return done;
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.logger.error(`Cannot ${what}`, { error: messageOf(error) });
    }
  }

  async #pinnedNamespaces(): Promise<string[]> {
    try {
      return await readdir(this.#namespaceFolder);
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  #firewallState(): FirewallState {
    const bridges = this.#book.infos().filter(({ driver, ipam }) => driver === 'bridge' && ipam.length > 0);
    return {
      table: this.#table,
      bridges: bridges.map((network) => this.#bridges.rulesOf(network)),
      ports: this.ports.rules(),
    };
  }

  #predefined(bridge: PredefinedNetworksInput['bridge']): NetworkInfo[] {
    return predefinedNetworks({
      owner: this.#options.owner,
      createdNano: this.#createdNano,
      bridge,
      mtu: this.#mtu,
    });
  }

  #isPredefined({ name }: NetworkInfo): boolean {
    return name === 'bridge' || name === 'host' || name === 'none';
  }

  get #table(): string {
    return `sampan_${this.#suffix}`;
  }

  get #mtu(): number {
    return this.#options.mtu ?? DEFAULT_MTU;
  }

  get #interfacePrefix(): string {
    return `ve${this.#suffix.slice(0, 5)}`;
  }

  get #namespaceFolder(): string {
    return join(this.#options.execRoot, 'netns');
  }
}

/** Who names pools of one family has Docker's of the other. */
function withBothFamilies(named: readonly SubnetPool[], defaults: readonly SubnetPool[]): SubnetPool[] {
  const families = new Set(named.map(({ base }) => base.family));
  return [...named, ...defaults.filter(({ base }) => !families.has(base.family))];
}

function checkDefaultName(bridgeName: string): void {
  try {
    checkInterfaceName(bridgeName);
  } catch (error) {
    throw new EngineError('invalid', `Invalid bridge name ${JSON.stringify(bridgeName)}`, {
      hint: 'At most 15 letters, digits, "_", "-" and ".".',
      cause: error,
    });
  }
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
