import { EngineError } from '../errors/engine-error.ts';
import { canonicalIp, contains, type IpFamily, parseCidr, parseIp } from '../sys/ip.ts';
import { AddressPool, macAddressOf } from './address-pool.ts';
import { gatewayModesOf } from './bridge-options.ts';
import type { DefaultWays, Way } from './host-network.ts';
import type {
  ConnectRequest,
  Endpoint,
  EndpointAddress,
  NetworkInfo,
  NetworkSubnet,
} from './network-driver.ts';
import { findNetwork } from './predefined-networks.ts';

interface Subnet {
  family: IpFamily;
  config: NetworkSubnet;
  prefixLength: number;
  pool: AddressPool;
}

interface Entry {
  info: NetworkInfo;
  subnets: Subnet[];
}

/** Who is on which network, with which address. Decides, and does nothing to the host. */
export class NetworkBook {
  readonly #networks = new Map<string, Entry>();
  readonly #endpoints = new Map<string, Endpoint>();

  /**
   * Take a network in; it gets the gateways that it lacks. One that is there already is replaced, and keeps its endpoints.
   *
   * @throws EngineError "forbidden" when a gateway or an auxiliary address can't be had.
   */
  put(info: NetworkInfo): NetworkInfo {
    const made = info.configOnly ? [] : info.ipam.map((config) => subnetOf(config, info));
    const ipam = info.configOnly ? info.ipam : made.map(({ config }) => config);
    const entry: Entry = { info: { ...info, ipam }, subnets: made };
    this.#networks.set(info.id, entry);
    for (const endpoint of this.endpointsOn(info.id)) adoptAddresses(entry, endpoint);
    return entry.info;
  }

  drop(networkId: string): void {
    this.#networks.delete(networkId);
  }

  infos(): NetworkInfo[] {
    return [...this.#networks.values()].map(({ info }) => info);
  }

  find(text: string): NetworkInfo | undefined {
    return findNetwork(this.infos(), text);
  }

  byId(networkId: string): NetworkInfo | undefined {
    return this.#networks.get(networkId)?.info;
  }

  endpoints(): Endpoint[] {
    return [...this.#endpoints.values()];
  }

  endpointsOn(networkId: string): Endpoint[] {
    return this.endpoints().filter((endpoint) => endpoint.networkId === networkId);
  }

  endpointsOf(containerId: string): Endpoint[] {
    return this.endpoints().filter((endpoint) => endpoint.containerId === containerId);
  }

  /**
   * Give a container its place on a network.
   *
   * @throws EngineError "forbidden" for an address that is taken, "unavailable" when there is none left.
   */
  join(request: ConnectRequest, networkId: string, endpointId: string): Endpoint {
    const entry = this.#networks.get(networkId);
    if (entry === undefined) throw new EngineError('not-found', `network ${networkId} not found`);
    const { info } = entry;
    const endpoint = { ...emptyEndpoint(request.containerId, endpointId, info), ...wishesOf(request) };
    if (info.driver === 'host' || info.driver === 'null') return this.#enter(endpoint);
    const ipv4 = info.enableIpv4 ? takeAddress(entry, 4, request.ipv4Address) : undefined;
    let ipv6: EndpointAddress | undefined;
    try {
      ipv6 = info.enableIpv6 ? takeAddress(entry, 6, request.ipv6Address) : undefined;
    } catch (error) {
      releaseAddresses(entry, { ipv4, ipv6: undefined });
      throw error;
    }
    return this.#enter({
      ...endpoint,
      interfaceName: request.interfaceName ?? this.#freeInterface(request.containerId),
      macAddress: request.macAddress ?? macOf(info, endpointId, ipv4),
      ipv4,
      ipv6,
    });
  }

  /** Take over what an earlier daemon gave. One of a network that is gone keeps its interface, and frees nothing later. */
  adopt(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.endpointId, endpoint);
    const entry = this.#networks.get(endpoint.networkId);
    if (entry !== undefined) adoptAddresses(entry, endpoint);
  }

  /** False: it is not on the books (any more), and its address may be somebody else's by now. */
  leave(endpointId: string): boolean {
    const endpoint = this.#endpoints.get(endpointId);
    if (endpoint === undefined) return false;
    this.#endpoints.delete(endpointId);
    const entry = this.#networks.get(endpoint.networkId);
    if (entry !== undefined) releaseAddresses(entry, endpoint);
    return true;
  }

  /** Its addresses stay taken, though it has left: its interface could not be removed. */
  hold(endpoint: Endpoint): void {
    const entry = this.#networks.get(endpoint.networkId);
    if (entry !== undefined) adoptAddresses(entry, endpoint);
  }

  /** Put an endpoint in the place of what it was. */
  update(endpoint: Endpoint): void {
    if (this.#endpoints.has(endpoint.endpointId)) this.#endpoints.set(endpoint.endpointId, endpoint);
  }

  /**
   * Docker's order: the highest priority, then networks of both families, then the network's name. Internal networks lead nowhere.
   */
  waysOf(containerId: string): DefaultWays {
    const candidates = this.endpointsOf(containerId)
      .filter(({ networkId }) => this.byId(networkId)?.internal !== true)
      .toSorted(byGatewayOrder);
    return { ipv4: this.#wayOf(candidates, 'ipv4'), ipv6: this.#wayOf(candidates, 'ipv6') };
  }

  #wayOf(candidates: readonly Endpoint[], family: 'ipv4' | 'ipv6'): Way | undefined {
    for (const endpoint of candidates) {
      const address = endpoint[family];
      if (address === undefined) continue;
      const { interfaceName } = endpoint;
      if (address.gateway !== '') return { interfaceName, gateway: address.gateway };
      if (endpoint.networkDriver === 'ipvlan') return { interfaceName, gateway: undefined };
    }
    return undefined;
  }

  #enter(endpoint: Endpoint): Endpoint {
    this.#endpoints.set(endpoint.endpointId, endpoint);
    return endpoint;
  }

  #freeInterface(containerId: string): string {
    const taken = new Set(this.endpointsOf(containerId).map(({ interfaceName }) => interfaceName));
    for (let at = 0; ; at++) if (!taken.has(`eth${at}`)) return `eth${at}`;
  }
}

function byGatewayOrder(one: Endpoint, other: Endpoint): number {
  const families = ({ ipv4, ipv6 }: Endpoint): number =>
    Number(ipv4 !== undefined) + Number(ipv6 !== undefined);
  return (
    other.gatewayPriority - one.gatewayPriority ||
    families(other) - families(one) ||
    (one.networkName < other.networkName ? -1 : 1)
  );
}

function subnetOf(config: NetworkSubnet, info: NetworkInfo): Subnet {
  const cidr = parseCidr(config.subnet);
  const pool = new AddressPool(cidr, config.ipRange === '' ? cidr : parseCidr(config.ipRange));
  const gateway = gatewayOf(config, pool, { info, family: cidr.family });
  for (const [name, address] of Object.entries(config.auxAddresses)) {
    if (!pool.take(address))
      throw new EngineError(
        'forbidden',
        `failed to allocate secondary ip address (${name}:${address}): Address already in use`,
      );
  }
  return { family: cidr.family, config: { ...config, gateway }, prefixLength: cidr.prefixLength, pool };
}

/** As asked for, else the first address. ipvlan routes by itself, and needs none; an isolated family leads nowhere. */
function gatewayOf(
  { gateway }: NetworkSubnet,
  pool: AddressPool,
  { info, family }: { info: NetworkInfo; family: IpFamily },
): string {
  if (gateway !== '') {
    const canonical = canonicalIp(gateway) ?? gateway;
    if (pool.take(canonical)) return canonical;
    throw new EngineError('forbidden', `failed to allocate gateway (${gateway}): Address already in use`);
  }
  if (info.driver === 'ipvlan' && info.options['ipvlan_mode']?.startsWith('l3') === true) return '';
  if (info.driver === 'bridge' && gatewayModesOf(info)[family] === 'isolated') return '';
  const chosen = pool.allocate();
  if (chosen === undefined)
    throw new EngineError('forbidden', 'failed to allocate gateway (): no available addresses on this pool');
  return chosen;
}

function takeAddress(entry: Entry, family: IpFamily, asked: string | undefined): EndpointAddress | undefined {
  const own = entry.subnets.filter((subnet) => subnet.family === family);
  const found = asked === undefined ? anyAddress(own) : thisAddress(own, asked);
  if (found === undefined) {
    const { name, id } = entry.info;
    throw new EngineError(
      'unavailable',
      `no available IPv${family} addresses on this network's address pools: ${name} (${id})`,
    );
  }
  const { address, subnet } = found;
  const gateway = entry.info.internal ? '' : subnet.config.gateway;
  return { address, prefixLength: subnet.prefixLength, gateway };
}

function anyAddress(subnets: readonly Subnet[]): { address: string; subnet: Subnet } | undefined {
  for (const subnet of subnets) {
    const address = subnet.pool.allocate();
    if (address !== undefined) return { address, subnet };
  }
  return undefined;
}

/** @throws EngineError "forbidden" when it is taken, "invalid" when it is of no subnet. */
function thisAddress(subnets: readonly Subnet[], asked: string): { address: string; subnet: Subnet } {
  const ip = parseIp(asked);
  const subnet = subnets.find(({ config }) => ip !== undefined && contains(parseCidr(config.subnet), ip));
  if (subnet === undefined)
    throw new EngineError('invalid', `no configured subnet or ip-range contain the IP address ${asked}`);
  const address = canonicalIp(asked) ?? asked;
  if (!subnet.pool.take(address)) throw new EngineError('forbidden', 'Address already in use');
  return { address, subnet };
}

function adoptAddresses(entry: Entry, { ipv4, ipv6 }: Pick<Endpoint, 'ipv4' | 'ipv6'>): void {
  for (const { pool } of entry.subnets)
    for (const address of [ipv4, ipv6]) if (address !== undefined) pool.adopt(address.address);
}

function releaseAddresses(entry: Entry, { ipv4, ipv6 }: Pick<Endpoint, 'ipv4' | 'ipv6'>): void {
  for (const { pool } of entry.subnets)
    for (const address of [ipv4, ipv6]) if (address !== undefined) pool.release(address.address);
}

/** ipvlan has its parent's. */
function macOf(info: NetworkInfo, endpointId: string, ipv4: EndpointAddress | undefined): string {
  if (info.driver === 'ipvlan') return '';
  if (ipv4 !== undefined) return macAddressOf(ipv4.address);
  return `02:42:${(endpointId.slice(0, 8).match(/../g) ?? []).join(':')}`;
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
    linkLocalAddresses: [],
    gatewayPriority: 0,
    names: [],
    links: {},
    forwarding: undefined,
  };
}

function wishesOf(request: ConnectRequest): Partial<Endpoint> {
  const { linkLocalAddresses = [], gatewayPriority = 0, names = [], links = {}, forwarding } = request;
  return { linkLocalAddresses, gatewayPriority, names, links, forwarding };
}
