import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf, kindOf, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { nowNano } from '../sys/clock.ts';
import { AddressPool, chooseSubnet, macAddressOf } from './address-pool.ts';
import { type Firewall, type FirewallRequest, NftFirewall } from './firewall.ts';
import type { AttachRequest, HostNetwork } from './host-network.ts';
import { type Cidr, formatCidr, formatIpv4, networkOf, overlaps, parseCidr, parseIpv4 } from './ipv4.ts';
import type { ConnectRequest, Endpoint, NetworkInfo, Networks } from './network-driver.ts';
import { findNetwork, predefinedNetworks } from './predefined-networks.ts';
import { forBridge, type ResolvConf, readHostResolvConf, readResolvConf } from './resolv-conf.ts';
import { WorkerHostNetwork } from './worker-host-network.ts';

export interface BridgeNetworksOptions {
  /** Namespaces are pinned in `netns/` below it. */
  execRoot: string;
  /**
   * What tells this daemon's bridge, interfaces and nft table from those of others, the same at each start: the data root's path, say.
   */
  owner: string;
  logger: Logger;
  /** Default: `sampan0` unless another daemon has it, then a name made from `owner`. */
  bridgeName?: string;
  /** The bridge's address with its subnet, `172.17.0.1/16`. Default: the first of Docker's default subnets that is free here. */
  bip?: string;
  mtu?: number;
  /** When the networks were made, for inspect; default: now. */
  createdNano?: bigint;
  /** How often the firewall is looked after while containers are on the bridge. */
  firewallCheckMs?: number;
  host?: HostNetwork;
  firewall?: Firewall;
}

interface Bridge {
  name: string;
  /** Its own address, with the length of the subnet's prefix. */
  address: Cidr;
  subnet: Cidr;
  gateway: string;
  pool: AddressPool;
}

const DEFAULT_BRIDGE_NAME = 'sampan0';
const DEFAULT_MTU = 1500;
const FIREWALL_CHECK_MS = 15_000;
const MAX_INTERFACE_NAME = 15;
const CONTAINER_ID = /^[0-9a-z][0-9a-zA-Z_.-]*$/;

/** The predefined networks: one bridge behind NAT, `host` and `none`. */
export class BridgeNetworks implements Networks {
  readonly #options: BridgeNetworksOptions;
  readonly #host: HostNetwork;
  readonly #firewall: Firewall;
  readonly #suffix: string;
  readonly #createdNano: bigint;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #namespaces = new Set<string>();
  /** Interfaces on their way out, with the container whose namespace they are in. */
  readonly #removals = new Map<Promise<void>, string | undefined>();
  #bridge: Bridge | undefined;
  #warnings: string[] = [];
  #watch: NodeJS.Timeout | undefined;

  constructor(options: BridgeNetworksOptions) {
    this.#options = options;
    this.#host = options.host ?? new WorkerHostNetwork();
    this.#firewall = options.firewall ?? new NftFirewall();
    this.#suffix = createHash('sha256').update(options.owner).digest('hex').slice(0, 8);
    this.#createdNano = options.createdNano ?? nowNano();
    checkOptions(options);
  }

  async start(): Promise<void> {
    this.#bridge = await this.#host.exclusively(() => this.#ensureBridge());
    await this.#firewall.apply(this.#firewallRequest(this.#bridge));
    await this.#repairFirewall(this.#bridge);
    this.#watch ??= setInterval(
      () => void this.#checkFirewall(),
      this.#options.firewallCheckMs ?? FIREWALL_CHECK_MS,
    );
    this.#watch.unref();
  }

  /** What `info` has to say about other people's firewalls. */
  warnings(): readonly string[] {
    return this.#warnings;
  }

  async createNamespace(containerId: string): Promise<string> {
    const path = this.namespacePath(containerId);
    await this.#host.createNamespace(path);
    this.#namespaces.add(containerId);
    return path;
  }

  async removeNamespace(containerId: string): Promise<void> {
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

  async connect({ containerId, network, interfaceName = 'eth0' }: ConnectRequest): Promise<Endpoint> {
    const info = findNetwork(this.#infos(), network);
    if (info === undefined) throw new EngineError('not-found', `network ${network} not found`);
    const endpointId = randomBytes(32).toString('hex');
    if (info.driver !== 'bridge') return emptyEndpoint(containerId, endpointId, info);
    const bridge = this.#startedBridge();
    await this.#leftBehind(containerId);
    const address = bridge.pool.allocate();
    if (address === undefined) {
      throw new EngineError(
        'unavailable',
        `no available IPv4 addresses on this network's address pools: ${info.name} (${info.id})`,
      );
    }
    const endpoint: Endpoint = {
      ...emptyEndpoint(containerId, endpointId, info),
      interfaceName,
      hostInterfaceName: `${this.#interfacePrefix}${endpointId.slice(0, 8)}`,
      macAddress: macAddressOf(address),
      ipv4: { address, prefixLength: bridge.subnet.prefixLength, gateway: bridge.gateway },
    };
    await this.#attach(endpoint, bridge, address);
    return endpoint;
  }

  disconnect(endpoint: Endpoint): Promise<void> {
    // What isn't on the books is gone or going, and its address may be somebody else's by now.
    if (!this.#endpoints.delete(endpoint.endpointId)) return Promise.resolve();
    if (endpoint.hostInterfaceName === '') return Promise.resolve();
    // Whoever gets the address next has the same MAC address, so nobody's ARP table is wrong meanwhile.
    if (endpoint.ipv4 !== undefined) this.#bridge?.pool.release(endpoint.ipv4.address);
    const removal = this.#removeInterface(endpoint).finally(() => this.#removals.delete(removal));
    this.#removals.set(removal, endpoint.containerId);
    return Promise.resolve();
  }

  list(): Promise<NetworkInfo[]> {
    return Promise.resolve(this.#infos());
  }

  get(network: string): Promise<NetworkInfo | undefined> {
    return Promise.resolve(findNetwork(this.#infos(), network));
  }

  async resolvConf(network: 'host' | 'own'): Promise<ResolvConf> {
    if (network === 'host') return await readResolvConf();
    return forBridge(await readHostResolvConf());
  }

  async recover(keep: readonly Endpoint[], namespaces: ReadonlySet<string>): Promise<void> {
    for (const endpoint of keep.filter(({ hostInterfaceName }) => hostInterfaceName !== '')) {
      this.#endpoints.set(endpoint.endpointId, endpoint);
      if (endpoint.ipv4 !== undefined) this.#bridge?.pool.adopt(endpoint.ipv4.address);
    }
    // The bridge may be a new one, whose predecessor somebody removed with these in it.
    if (this.#bridge !== undefined && keep.length > 0) {
      this.#bridge = await this.#host.exclusively(() => this.#ensureBridge());
    }
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
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await Promise.all(this.#removals.keys());
    const bridge = this.#bridge;
    if (bridge !== undefined && this.#endpoints.size === 0 && this.#namespaces.size === 0) {
      await this.#firewall.remove(this.#firewallRequest(bridge));
      await this.#host.removeLink(bridge.name);
    }
    await this.#host.close();
  }

  async #removeInterface({ hostInterfaceName, ipv4 }: Endpoint): Promise<void> {
    try {
      await this.#host.removeLink(hostInterfaceName);
    } catch (error) {
      if (ipv4 !== undefined) this.#bridge?.pool.adopt(ipv4.address);
      this.#options.logger.warn('Cannot remove an interface; the next start will', {
        interface: hostInterfaceName,
        error: messageOf(error),
      });
    }
  }

  /** In the same namespace a new interface of the same name needs the old one gone. */
  async #leftBehind(containerId: string): Promise<void> {
    const own = [...this.#removals].filter(([, owner]) => owner === containerId);
    await Promise.all(own.map(([removal]) => removal));
  }

  async #attach(endpoint: Endpoint, bridge: Bridge, address: string): Promise<void> {
    this.#endpoints.set(endpoint.endpointId, endpoint);
    const request: AttachRequest = {
      namespacePath: this.namespacePath(endpoint.containerId),
      bridgeName: bridge.name,
      owner: this.#mark,
      hostInterfaceName: endpoint.hostInterfaceName,
      interfaceName: endpoint.interfaceName,
      macAddress: endpoint.macAddress,
      address: { address, prefixLength: bridge.subnet.prefixLength },
      gateway: bridge.gateway,
      mtu: this.#mtu,
    };
    try {
      await this.#host.attach(request).catch(async (error: unknown) => {
        if (kindOf(error) !== 'unavailable') throw error;
        this.#options.logger.warn('The bridge is gone: making it anew', { bridge: bridge.name });
        await this.start();
        await this.#host.attach(request);
      });
    } catch (error) {
      this.#endpoints.delete(endpoint.endpointId);
      bridge.pool.release(address);
      throw error;
    }
  }

  async #ensureBridge(): Promise<Bridge> {
    const name = this.#bridge?.name ?? (await this.#chooseBridgeName());
    const address = this.#bridge?.address ?? (await this.#chooseAddress(name));
    const gateway = formatIpv4(address.base);
    const { forwardingEnabled } = await this.#host.ensureBridge({
      name,
      owner: this.#mark,
      // Without one of its own a bridge takes that of a port, and changes it as containers come and go.
      macAddress: macAddressOf(gateway),
      gateway: { address: gateway, prefixLength: address.prefixLength },
      mtu: this.#mtu,
      ports: [...this.#endpoints.values()].map(({ hostInterfaceName }) => hostInterfaceName),
    });
    if (forwardingEnabled) {
      this.#options.logger.warn('IPv4 forwarding was off on this machine; it is on now, for all interfaces');
    }
    const pool = this.#bridge?.pool ?? this.#newPool(address);
    return { name, address, subnet: networkOf(address), gateway, pool };
  }

  /** Ours is found again by its mark, whatever it was called by default. */
  async #chooseBridgeName(): Promise<string> {
    if (this.#options.bridgeName !== undefined) return this.#options.bridgeName;
    const links = await this.#host.links();
    const ours = links.find(({ kind, alias }) => kind === 'bridge' && alias === this.#mark);
    if (ours !== undefined) return ours.name;
    const taken = links.some(({ name }) => name === DEFAULT_BRIDGE_NAME);
    return taken ? `smp-${this.#suffix}` : DEFAULT_BRIDGE_NAME;
  }

  /** The configured one, else the one that the bridge has (containers may be on it), else a free one. */
  async #chooseAddress(bridgeName: string): Promise<Cidr> {
    if (this.#options.bip !== undefined) return parseCidr(this.#options.bip);
    const [present] = await this.#host.addressesOf(bridgeName);
    if (present !== undefined) return parseCidr(`${present.address}/${present.prefixLength}`);
    const used = (await this.#host.usedSubnets(bridgeName)).flatMap(toCidr);
    const nameservers = (await readHostResolvConf()).nameservers.flatMap((server) =>
      toCidr({ address: server, prefixLength: 32 }),
    );
    const inUse = [...used, ...nameservers];
    const subnet = chooseSubnet((candidate) => !inUse.some((one) => overlaps(one, candidate)));
    return { base: subnet.base + 1, prefixLength: subnet.prefixLength };
  }

  /** Others reload their firewalls as they like (`flush ruleset` is how many files begin): look now and then, while it matters. */
  async #checkFirewall(): Promise<void> {
    if (this.#bridge !== undefined && this.#endpoints.size > 0) await this.#repairFirewall(this.#bridge);
  }

  async #repairFirewall(bridge: Bridge): Promise<void> {
    const warnings = await this.#firewall.repair(this.#firewallRequest(bridge)).catch((error: unknown) => {
      // Somebody else's table in an odd state must not keep the engine from starting.
      return [`WARNING: Cannot look after the firewall: ${messageOf(error)}`];
    });
    const known = new Set(this.#warnings);
    this.#warnings = warnings;
    for (const warning of warnings) if (!known.has(warning)) this.#options.logger.warn(warning);
  }

  async #pinnedNamespaces(): Promise<string[]> {
    try {
      return await readdir(this.#namespaceFolder);
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  #newPool(address: Cidr): AddressPool {
    const pool = new AddressPool(address, address.base);
    for (const { ipv4 } of this.#endpoints.values()) if (ipv4 !== undefined) pool.adopt(ipv4.address);
    return pool;
  }

  #startedBridge(): Bridge {
    if (this.#bridge === undefined) throw new EngineError('unavailable', 'The network is not started');
    return this.#bridge;
  }

  #firewallRequest(bridge: Bridge): FirewallRequest {
    return {
      table: `sampan_${this.#suffix}`,
      bridgeName: bridge.name,
      subnet: formatCidr(bridge.subnet),
    };
  }

  #infos(): NetworkInfo[] {
    return predefinedNetworks({
      owner: this.#options.owner,
      createdNano: this.#createdNano,
      bridge: this.#bridge,
      mtu: this.#mtu,
    });
  }

  get #mtu(): number {
    return this.#options.mtu ?? DEFAULT_MTU;
  }

  get #mark(): string {
    return `sampan ${this.#suffix}`;
  }

  get #interfacePrefix(): string {
    return `ve${this.#suffix.slice(0, 5)}`;
  }

  get #namespaceFolder(): string {
    return join(this.#options.execRoot, 'netns');
  }
}

function checkOptions({ bridgeName, bip }: BridgeNetworksOptions): void {
  if (bridgeName !== undefined && (!/^[\w.-]+$/.test(bridgeName) || bridgeName.length > MAX_INTERFACE_NAME)) {
    throw new EngineError('invalid', `Invalid bridge name ${JSON.stringify(bridgeName)}`, {
      hint: `At most ${MAX_INTERFACE_NAME} letters, digits, "_", "-" and ".".`,
    });
  }
  if (bip === undefined) return;
  const address = parseCidr(bip);
  if (address.prefixLength > 30 || networkOf(address).base === address.base) {
    throw new EngineError('invalid', `Invalid --bip ${JSON.stringify(bip)}: not the address of a host`, {
      hint: 'Give the address that the bridge gets and the length of its subnet, such as 172.20.0.1/16.',
    });
  }
}

/** What a container has on `host` and `none`, which give it no interface. */
function emptyEndpoint(containerId: string, endpointId: string, network: NetworkInfo): Endpoint {
  return {
    containerId,
    endpointId,
    networkId: network.id,
    networkName: network.name,
    networkDriver: network.driver,
    interfaceName: '',
    hostInterfaceName: '',
    macAddress: '',
    ipv4: undefined,
    ipv6: undefined,
  };
}

function toCidr({ address, prefixLength }: { address: string; prefixLength: number }): Cidr[] {
  const base = parseIpv4(address);
  return base === undefined ? [] : [{ base, prefixLength }];
}
