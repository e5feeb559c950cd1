import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { nowNano } from '../sys/clock.ts';
import type { LastingCgroup } from '../sys/lasting-cgroup.ts';
import { checkInterfaceName } from './bridge-options.ts';
import { ContainerInterfaces } from './container-interfaces.ts';
import { ContainerNames } from './container-names.ts';
import type { ExposedPorts, Exposure } from './exposure/exposure.ts';
import { hostInterfaces } from './exposure/host-interfaces.ts';
import { planExposure } from './exposure/plan-exposure.ts';
import { type Firewall, NftFirewall } from './firewall.ts';
import { FirewallKeeper } from './firewall-keeper.ts';
import { Forwarding } from './forwarding/forwarding.ts';
import { checkBip, HostBridges, hasBridgesOfOthers } from './host-bridges.ts';
import type { HostNetwork } from './host-network.ts';
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
import { checkPassthru } from './parent-options.ts';
import { planNetwork } from './plan-network.ts';
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
  /** What `host-gateway` stands for in all containers. Default: the address of their own bridge. */
  hostGateway?: string;
  mtu?: number;
  /** Where subnets come from that nobody names; default: Docker's. */
  pools?: readonly SubnetPool[];
  /** When the predefined networks were made, for inspect; default: now. */
  createdNano?: bigint;
  /** Turn on forwarding where it is off and needed; default: yes. */
  forwarding?: boolean;
  /** What is turned on makes the machine a router for everybody; default: for our networks alone. */
  openTransit?: boolean;
  /** How often it is asked whether somebody has changed firewall rules, while containers are on a bridge. */
  firewallCheckMs?: number;
  /** Containers of a network that have a port of its bridge; more hang on its trunk. */
  portsPerBridge?: number;
  /** Networks of users; default: in memory. */
  store?: NetworkStore;
  host?: HostNetwork;
  firewall?: Firewall;
  names?: NameServer;
  portHolder?: PortHolder;
  /** Takes the helpers out of the daemon's unit; default: they stay. */
  lasting?: LastingCgroup;
}

const DEFAULT_MTU = 1500;
/** Of 1,023; the trunk has one, and what others put into our bridges finds some left. */
const PORTS_PER_BRIDGE = 1000;
const FIREWALL_CHECK_MS = 2000;

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
  readonly #forwarding: Forwarding;
  readonly #nameServer: NameServer;
  readonly #names: ContainerNames;
  readonly ports: PortPublisher;
  readonly #book = new NetworkBook();
  readonly #interfaces: ContainerInterfaces;
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
    this.#forwarding = new Forwarding({
      host,
      directory: options.execRoot,
      logger,
      enable: options.forwarding,
      openTransit: options.openTransit,
    });
    this.#firewall = new FirewallKeeper({
      firewall: options.firewall ?? new NftFirewall(host),
      state: () => this.#firewallState(),
      isNeeded: () =>
        this.#book.endpoints().some(({ networkDriver }) => networkDriver === 'bridge') ||
        this.#forwarding.guard.families.length > 0,
      checkMs: options.firewallCheckMs ?? FIREWALL_CHECK_MS,
      logger,
    });
    this.#nameServer =
      options.names ??
      new ProcessNameServer({ directory: join(options.execRoot, 'names'), logger, lasting: options.lasting });
    this.#names = new ContainerNames({
      book: this.#book,
      server: this.#nameServer,
      host,
      namespacePath: (id) => this.namespacePath(id),
      logger,
    });
    this.#interfaces = new ContainerInterfaces({
      book: this.#book,
      bridges: this.#bridges,
      host,
      names: this.#names,
      folder: join(options.execRoot, 'netns'),
      prefix: `ve${this.#suffix.slice(0, 5)}`,
      portsPerBridge: options.portsPerBridge ?? PORTS_PER_BRIDGE,
      logger,
      isStarted: () => this.#started,
      repair: () => this.start(),
    });
    this.ports = new PortPublisher({
      holder:
        options.portHolder ??
        new ProcessPortHolder({
          directory: join(options.execRoot, 'ports'),
          logger,
          lasting: options.lasting,
        }),
      table: this.#table,
      changeRules: (commands) => this.#firewall.change(commands),
      forgetFlows: (flows) => host.forgetFlows(flows),
      logger,
    });
    for (const network of this.#predefined(undefined)) this.#book.put(network);
  }

  async start(): Promise<void> {
    if (!this.#started) {
      for (const network of await this.#store.load()) this.#book.put(network);
      await this.ports.find();
    }
    await this.#host.exclusively(async () => {
      await this.#ensureAll();
      this.#started = true;
      await this.#applyAndForward();
    });
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

  get namespaceCounts(): Readonly<{ ready: number; made: number }> {
    return this.#interfaces.namespaceCounts;
  }

  createNamespace(containerId: string, options?: { userNamespace?: number | undefined }): Promise<string> {
    return this.#interfaces.createNamespace(containerId, options);
  }

  removeNamespace(containerId: string): Promise<void> {
    return this.#interfaces.removeNamespace(containerId);
  }

  namespacePath(containerId: string): string {
    return this.#interfaces.namespacePath(containerId);
  }

  connect(request: ConnectRequest): Promise<Endpoint> {
    return this.#interfaces.connect(request);
  }

  disconnect(endpoint: Endpoint): Promise<void> {
    return this.#interfaces.disconnect(endpoint);
  }

  rename(containerId: string, names: (networkId: string) => string[]): Promise<Endpoint[]> {
    return this.#interfaces.rename(containerId, names);
  }

  list(): Promise<NetworkInfo[]> {
    return Promise.resolve(this.#book.infos());
  }

  get(network: string): Promise<NetworkInfo | undefined> {
    return Promise.resolve(this.#book.find(network));
  }

  async exposure(containers: readonly ExposedPorts[]): Promise<Exposure[]> {
    const networks = this.#book.infos().filter(({ driver }) => driver === 'bridge');
    const bridges = new Map(networks.map((network) => [network.id, this.#bridges.rulesOf(network)]));
    const own = new Set([...bridges.values()].map(({ bridgeName }) => bridgeName));
    return planExposure({
      containers,
      endpoints: this.#book.endpoints(),
      holdings: this.ports.all(),
      bridges,
      interfaces: hostInterfaces().filter(({ name }) => !own.has(name)),
      foreign: await this.#firewall.foreignRules(),
      table: this.#table,
    });
  }

  async hostGateway(endpoints: readonly Pick<Endpoint, 'ipv4'>[]): Promise<string | undefined> {
    const own = endpoints.find(({ ipv4 }) => ipv4 !== undefined)?.ipv4?.gateway;
    return this.#options.hostGateway ?? own ?? (await this.get('bridge'))?.ipam[0]?.gateway;
  }

  async resolvConf(network: 'host' | 'own'): Promise<ResolvConf> {
    if (network === 'host') return await readResolvConf();
    return forBridge(await readHostResolvConf());
  }

  async recover(keep: readonly Endpoint[], namespaces: ReadonlySet<string>): Promise<void> {
    for (const endpoint of keep) this.#book.adopt(endpoint);
    // A bridge may be a new one, whose predecessor somebody removed with these in it.
    if (this.#started && keep.length > 0) await this.#host.exclusively(() => this.#ensureAll());
    await this.#interfaces.removeOrphans(keep, namespaces);
    await this.#attempt('find the name server of containers again', () => this.#names.restore());
  }

  async close(): Promise<void> {
    await this.#changes.catch(() => undefined);
    await this.#interfaces.settle();
    const isEmpty = this.#book.endpoints().length === 0 && !this.#interfaces.hasNamespaces;
    if (isEmpty && this.#started) await this.#host.exclusively(() => this.#leaveHost());
    else await this.#firewall.close({ remove: false });
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
    checkPassthru(planned, networks);
    const network = this.#book.put(planned);
    try {
      await this.#store.insert(network);
      await this.#bridges.ensure(network, []);
      await this.#applyAndForward();
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
    if (network.configOnly && this.#book.infos().some(({ configFrom }) => configFrom === name))
      throw new EngineError(
        'forbidden',
        `error while removing network: configuration network ${JSON.stringify(name)} is in use`,
      );
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
    await this.#bridges.removeOrphans(this.#book.infos());
  }

  /** Rules come before what they guard. */
  async #applyAndForward(): Promise<void> {
    const bridges = this.#book.infos().filter(({ driver }) => driver === 'bridge');
    const families = ([4, 6] as const).filter((family) =>
      bridges.some(({ enableIpv4, enableIpv6 }) => (family === 4 ? enableIpv4 : enableIpv6)),
    );
    await this.#forwarding.prepare(families);
    await this.#firewall.apply();
    await this.#forwarding.turnOn();
  }

  /** What we have turned on is turned off, unless others have come to have bridges behind it: then it stays, and so does its guard. */
  async #leaveHost(): Promise<void> {
    if (!hasBridgesOfOthers(await this.#host.links(), this.#suffix)) await this.#forwarding.turnOff();
    await this.#firewall.close({ remove: true });
    for (const network of this.#book.infos()) await this.#bridges.remove(network);
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

  #firewallState(): FirewallState {
    const bridges = this.#book.infos().filter(({ driver, ipam }) => driver === 'bridge' && ipam.length > 0);
    return {
      table: this.#table,
      bridges: bridges.map((network) => this.#bridges.rulesOf(network)),
      ports: this.ports.rules(),
      shared: this.ports.sharedPorts(),
      transit: this.#forwarding.guard,
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
