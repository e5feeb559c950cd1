import type { ExposedPorts, Exposure } from './exposure/exposure.ts';
import type { PublishedPorts } from './ports/published-ports.ts';

/** How a container's names are looked up, when they are none of its networks'. */
export interface NameForwarding {
  servers: string[];
  /** Asked from the container's own network (`--dns`) rather than the host's. */
  fromContainer: boolean;
}

/** A container's place on a network: what inspect shows and what has to be undone. Plain data. */
export interface Endpoint {
  containerId: string;
  endpointId: string;
  networkId: string;
  networkName: string;
  networkDriver: NetworkInfo['driver'];
  /** Interface inside the namespace, `eth0`. */
  interfaceName: string;
  /** Its port of the bridge; '' where nothing of it alone is on the host. */
  hostInterfaceName: string;
  macAddress: string;
  ipv4: EndpointAddress | undefined;
  ipv6: EndpointAddress | undefined;
  linkLocalAddresses: string[];
  /** Its gateway is the container's way out where no other's is higher. */
  gatewayPriority: number;
  /** What others on the network find it by; none on the default bridge. */
  names: string[];
  /** Names that only this container knows, to names of others. */
  links: Record<string, string>;
  forwarding: NameForwarding | undefined;
}

export interface EndpointAddress {
  address: string;
  prefixLength: number;
  /** '': there is no way out. */
  gateway: string;
}

export interface ConnectRequest {
  containerId: string;
  /** By name, id or id prefix. */
  network: string;
  /** Inside the namespace; default: the first of `eth0`, `eth1` … that the container has not got. */
  interfaceName?: string;
  /** Addresses that it shall have. */
  ipv4Address?: string;
  ipv6Address?: string;
  linkLocalAddresses?: string[];
  macAddress?: string;
  gatewayPriority?: number;
  /** Settings of its interface, `net.ipv4.conf.IFNAME.log_martians=1`. */
  sysctls?: string[];
  names?: string[];
  links?: Record<string, string>;
  forwarding?: NameForwarding;
}

export interface NetworkSubnet {
  subnet: string;
  /** Addresses are given out of this part of it; '': of all. */
  ipRange: string;
  /** '' where the driver knows none. */
  gateway: string;
  /** Docker shows those that were asked for, and the ones of subnets that it chose. */
  gatewayShown: boolean;
  /** Nobody has named it. */
  subnetChosen: boolean;
  auxAddresses: Record<string, string>;
}

export type NetworkDriverName = 'bridge' | 'host' | 'null' | 'macvlan' | 'ipvlan';

export interface NetworkInfo {
  id: string;
  name: string;
  driver: NetworkDriverName;
  scope: 'local';
  createdNano: bigint;
  internal: boolean;
  attachable: boolean;
  enableIpv4: boolean;
  enableIpv6: boolean;
  /** Settings for other networks (`--config-only`): no container joins it, and nothing of it is on the host. */
  configOnly: boolean;
  /** The network whose settings it was made with; '': its own. */
  configFrom: string;
  ipamDriver: string;
  ipamOptions: Record<string, string> | undefined;
  ipam: NetworkSubnet[];
  options: Record<string, string>;
  labels: Record<string, string>;
}

export interface SubnetRequest {
  subnet: string;
  ipRange: string;
  gateway: string;
  auxAddresses: Record<string, string>;
}

export interface CreateNetworkRequest {
  name: string;
  driver: string;
  scope: string;
  internal: boolean;
  attachable: boolean;
  ingress: boolean;
  configOnly: boolean;
  configFrom: string;
  enableIpv4: boolean;
  enableIpv6: boolean;
  ipamDriver: string;
  ipamOptions: Record<string, string> | undefined;
  subnets: SubnetRequest[];
  options: Record<string, string>;
  labels: Record<string, string>;
}

/**
 * Networks of this engine and the containers on them. Bridges, nft table and interfaces bear names of their own per daemon, so that several run
 * side by side. Every resource is found again by its name at start.
 */
export interface Networks {
  readonly ports: PublishedPorts;
  /** Make bridges, forwarding, NAT (one nft table of ours). Idempotent; repairs what is missing. */
  start(): Promise<void>;
  /**
   * Once it resolves, the network is on disk and its bridge is up.
   *
   * @throws EngineError "invalid" in Docker's words, "conflict" when name or bridge are taken, "forbidden" on names and subnets that can't be had.
   */
  create(request: CreateNetworkRequest): Promise<NetworkInfo>;
  /** @throws EngineError "not-found", "forbidden" while endpoints are on it or when it is predefined. */
  remove(networkId: string): Promise<void>;
  /** Those that are on a network now. */
  endpointsOf(networkId: string): Endpoint[];
  /**
   * A namespace with `lo` up, pinned at the path that it returns, for this container. Idempotent. `userNamespace`: a descriptor of the one whose
   * root has power over it; default: the host's.
   */
  createNamespace(containerId: string, options?: { userNamespace?: number | undefined }): Promise<string>;
  removeNamespace(containerId: string): Promise<void>;
  /** Where the namespace of a container is pinned. */
  namespacePath(containerId: string): string;
  /**
   * Join the container's namespace to a network; a container may have an endpoint on each of several.
   *
   * @throws EngineError "not-found" for the network, "unavailable" when its addresses are used up, "forbidden" when the one asked for is taken.
   */
  connect(request: ConnectRequest): Promise<Endpoint>;
  /**
   * Takes the endpoint off the books and frees its address; its interface goes within the next 50 ms or so (the kernel waits), for
   * which `close` waits, and a `connect` of the same namespace. Twice is fine.
   */
  disconnect(endpoint: Endpoint): Promise<void>;
  /** Other names for a container's endpoints, by the network's id. @returns the endpoints as they are then. */
  rename(containerId: string, names: (networkId: string) => string[]): Promise<Endpoint[]>;
  list(): Promise<NetworkInfo[]>;
  /** By name, id or id prefix. */
  get(network: string): Promise<NetworkInfo | undefined>;
  /** This host as a container with these endpoints sees it (`host-gateway`): as configured, else its own bridge's address, else the default bridge's. */
  hostGateway(endpoints: readonly Pick<Endpoint, 'ipv4'>[]): Promise<string | undefined>;
  /** Name servers that a container gets: on the host's network the host's own; else these without loopback ones, as Docker does. */
  resolvConf(
    network: 'host' | 'own',
  ): Promise<{ nameservers: string[]; search: string[]; options: string[] }>;
  /** Which ports of these running containers are reached from where. */
  exposure(containers: readonly ExposedPorts[]): Promise<Exposure[]>;
  /** After `start`, at a restart of the daemon: adopt these endpoints, remove namespaces and interfaces of ours that are not among them. */
  recover(keep: readonly Endpoint[], namespaces: ReadonlySet<string>): Promise<void>;
  /** On shutdown; removes bridges and table only when no container is left on them. */
  close(): Promise<void>;
}
