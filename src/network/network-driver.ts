/** A container's place on a network: what inspect shows and what has to be undone. Plain data. */
export interface Endpoint {
  containerId: string;
  endpointId: string;
  networkId: string;
  networkName: string;
  networkDriver: NetworkInfo['driver'];
  /** Interface inside the namespace, `eth0`. */
  interfaceName: string;
  hostInterfaceName: string;
  macAddress: string;
  ipv4: { address: string; prefixLength: number; gateway: string } | undefined;
  ipv6: { address: string; prefixLength: number; gateway: string } | undefined;
}

export interface ConnectRequest {
  containerId: string;
  /** By name, id or id prefix. */
  network: string;
  /** Inside the namespace; default: `eth0`. */
  interfaceName?: string;
}

export interface NetworkInfo {
  id: string;
  name: string;
  driver: 'bridge' | 'host' | 'null';
  scope: 'local';
  createdNano: bigint;
  internal: boolean;
  enableIpv6: boolean;
  ipam: { subnet: string; gateway: string }[];
  options: Record<string, string>;
  labels: Record<string, string>;
}

/**
 * Networks of this engine and the containers on them. Bridge, nft table and interfaces bear names of their own per daemon, so that several run
 * side by side. Every resource is found again by its name at start.
 */
export interface Networks {
  /** Make bridge, forwarding, NAT (one nft table of ours). Idempotent; repairs what is missing. */
  start(): Promise<void>;
  /** A namespace with `lo` up, pinned at the path that it returns, for this container. Idempotent. */
  createNamespace(containerId: string): Promise<string>;
  removeNamespace(containerId: string): Promise<void>;
  /** Where the namespace of a container is pinned. */
  namespacePath(containerId: string): string;
  /**
   * Join the container's namespace to a network; a container may have an endpoint on each of several.
   *
   * @throws EngineError "not-found" for the network, "unavailable" when its addresses are used up.
   */
  connect(request: ConnectRequest): Promise<Endpoint>;
  /**
   * Takes the endpoint off the books and frees its address; its interface goes within the next 50 ms or so (the kernel waits), for
   * which `close` waits, and a `connect` of the same namespace. Twice is fine.
   */
  disconnect(endpoint: Endpoint): Promise<void>;
  list(): Promise<NetworkInfo[]>;
  /** By name, id or id prefix. */
  get(network: string): Promise<NetworkInfo | undefined>;
  /** Name servers that a container gets: on the host's network the host's own; else these without loopback ones, as Docker does. */
  resolvConf(
    network: 'host' | 'own',
  ): Promise<{ nameservers: string[]; search: string[]; options: string[] }>;
  /** After `start`, at a restart of the daemon: adopt these endpoints, remove namespaces and interfaces of ours that are not among them. */
  recover(keep: readonly Endpoint[], namespaces: ReadonlySet<string>): Promise<void>;
  /** On shutdown; removes bridge and table only when no container is left on them. */
  close(): Promise<void>;
}
