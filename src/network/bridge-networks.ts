import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { nowNano } from '../sys/clock.ts';
import { AddressPool, chooseSubnet, macAddressOf } from './address-pool.ts';
import { type Firewall, type FirewallRequest, NftFirewall } from './firewall.ts';
import type { HostNetwork } from './host-network.ts';
import { type Cidr, formatCidr, formatIpv4, networkOf, overlaps, parseCidr, parseIpv4 } from './ipv4.ts';
import type { Endpoint, NetworkInfo, Networks } from './network-driver.ts';
import { forBridge, type ResolvConf, readHostResolvConf } from './resolv-conf.ts';
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
  readonly #removals = new Set<Promise<void>>();
  #bridge: Bridge | undefined;
  #warnings: string[] = [];

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
    await this.#openForeignFirewalls(this.#bridge);
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
  }

  namespacePath(containerId: string): string {
    if (!CONTAINER_ID.test(containerId)) {
      throw new EngineError('invalid', `Invalid container id ${JSON.stringify(containerId)}`);
    }
    return join(this.#namespaceFolder, containerId);
  }

  async connect(containerId: string, network: string): Promise<Endpoint> {
    const info = this.#find(network);
    if (info === undefined) throw new EngineError('not-found', `network ${network} not found`);
    const endpointId = randomBytes(32).toString('hex');
    if (info.driver !== 'bridge') return emptyEndpoint(containerId, endpointId, info);
    const bridge = this.#startedBridge();
    const address = await this.#allocate(bridge);
    if (address === undefined) {
      throw new EngineError(
        'unavailable',
        `no available IPv4 addresses on this network's address pools: ${info.name} (${info.id})`,
      );
    }
    const endpoint: Endpoint = {
      ...emptyEndpoint(containerId, endpointId, info),
      interfaceName: 'eth0',
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
    const removal = this.#removeInterface(endpoint).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    return Promise.resolve();
  }

  list(): Promise<NetworkInfo[]> {
    return Promise.resolve(this.#infos());
  }

  get(network: string): Promise<NetworkInfo | undefined> {
    return Promise.resolve(this.#find(network));
  }

  async resolvConf(): Promise<ResolvConf> {
    return forBridge(await readHostResolvConf());
  }

  async recover(keep: readonly Endpoint[], namespaces: ReadonlySet<string>): Promise<void> {
    for (const endpoint of keep) {
      this.#endpoints.set(endpoint.endpointId, endpoint);
      if (endpoint.ipv4 !== undefined) this.#bridge?.pool.adopt(endpoint.ipv4.address);
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
    await Promise.all(this.#removals);
    const bridge = this.#bridge;
    if (bridge !== undefined && this.#endpoints.size === 0 && this.#namespaces.size === 0) {
      await this.#firewall.remove(this.#firewallRequest(bridge));
      await this.#host.removeLink(bridge.name);
    }
    await this.#host.close();
  }

  /** An address is free once its interface is gone. */
  async #removeInterface({ hostInterfaceName, ipv4 }: Endpoint): Promise<void> {
    try {
      await this.#host.removeLink(hostInterfaceName);
    } catch (error) {
      this.#options.logger.warn('Cannot remove an interface; the next start will', {
        interface: hostInterfaceName,
        error: messageOf(error),
      });
      return;
    }
    if (ipv4 !== undefined) this.#bridge?.pool.release(ipv4.address);
  }

  async #allocate({ pool }: Bridge): Promise<string | undefined> {
    const address = pool.allocate();
    if (address !== undefined || this.#removals.size === 0) return address;
    await Promise.all(this.#removals);
    return pool.allocate();
  }

  async #attach(endpoint: Endpoint, bridge: Bridge, address: string): Promise<void> {
    this.#endpoints.set(endpoint.endpointId, endpoint);
    try {
      await this.#host.attach({
        namespacePath: this.namespacePath(endpoint.containerId),
        bridgeName: bridge.name,
        hostInterfaceName: endpoint.hostInterfaceName,
        interfaceName: endpoint.interfaceName,
        macAddress: endpoint.macAddress,
        address: { address, prefixLength: bridge.subnet.prefixLength },
        gateway: bridge.gateway,
        mtu: this.#mtu,
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
    await this.#host.ensureBridge({
      name,
      owner: this.#mark,
      gateway: { address: gateway, prefixLength: address.prefixLength },
      mtu: this.#mtu,
    });
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

  async #openForeignFirewalls(bridge: Bridge): Promise<void> {
    try {
      this.#warnings = await this.#firewall.openForeign(this.#firewallRequest(bridge));
    } catch (error) {
      // Somebody else's table in an odd state must not keep the engine from starting.
      this.#warnings = [`WARNING: Cannot look for other firewalls: ${messageOf(error)}`];
    }
    for (const warning of this.#warnings) this.#options.logger.warn(warning);
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

  /** By name, id or a prefix of the id that is no other's. */
  #find(network: string): NetworkInfo | undefined {
    const infos = this.#infos();
    const exact = infos.find(({ name, id }) => name === network || id === network);
    if (exact !== undefined || network === '') return exact;
    const matching = infos.filter(({ id }) => id.startsWith(network));
    return matching.length === 1 ? matching[0] : undefined;
  }

  #infos(): NetworkInfo[] {
    const bridge = this.#bridge;
    const ipam = bridge === undefined ? [] : [{ subnet: formatCidr(bridge.subnet), gateway: bridge.gateway }];
    const options = bridge === undefined ? {} : this.#bridgeOptions(bridge);
    return [
      this.#info('bridge', 'bridge', { ipam, options }),
      this.#info('host', 'host', {}),
      this.#info('none', 'null', {}),
    ];
  }

  #info(name: string, driver: NetworkInfo['driver'], more: Partial<NetworkInfo>): NetworkInfo {
    return {
      id: createHash('sha256').update(`${this.#options.owner}\0${name}`).digest('hex'),
      name,
      driver,
      scope: 'local',
      createdNano: this.#createdNano,
      internal: false,
      enableIpv6: false,
      ipam: [],
      options: {},
      labels: {},
      ...more,
    };
  }

  #bridgeOptions(bridge: Bridge): Record<string, string> {
    return {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
      'com.docker.network.bridge.name': bridge.name,
      'com.docker.network.driver.mtu': String(this.#mtu),
    };
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
