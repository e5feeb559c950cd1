import type { Ipv4Prefix } from '../sys/links.ts';

export interface BridgeRequest {
  name: string;
  /** Our mark, written to the interface's alias: what bears another is not ours to touch. */
  owner: string;
  macAddress: string;
  gateway: Ipv4Prefix;
  mtu: number;
  /** Interfaces that belong in it; those that are gone are passed over. */
  ports: string[];
}

export interface AttachRequest {
  namespacePath: string;
  bridgeName: string;
  /** The bridge's mark. */
  owner: string;
  hostInterfaceName: string;
  interfaceName: string;
  macAddress: string;
  address: Ipv4Prefix;
  gateway: string;
  mtu: number;
}

export interface HostLink {
  name: string;
  kind: string;
  alias: string;
}

/** What has to be done to the host's interfaces and namespaces. Blocking work: implementations do it off the main thread. */
export interface HostNetwork {
  /** Run `work` while no other daemon of this machine does: names and subnets are chosen from what is free. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  links(): Promise<HostLink[]>;
  /** Addresses and routes (but the default ones) in use, those of `exceptLink` left out. */
  usedSubnets(exceptLink: string | undefined): Promise<Ipv4Prefix[]>;
  addressesOf(link: string): Promise<Ipv4Prefix[]>;
  /**
   * Make or repair the bridge: address, up, forwarding of the host, which it reports when it was off.
   *
   * @throws EngineError "conflict" when the name belongs to an interface that isn't ours.
   */
  ensureBridge(request: BridgeRequest): Promise<{ forwardingEnabled: boolean }>;
  /** A namespace with `lo` up, pinned at `path`. There already is fine. */
  createNamespace(path: string): Promise<void>;
  /** Absent is fine. */
  removeNamespace(path: string): Promise<void>;
  /**
   * A veth pair between bridge and namespace, with address and default route. A failure leaves no interface.
   *
   * @throws EngineError "unavailable" when the bridge is gone, or another has its name.
   */
  attach(request: AttachRequest): Promise<void>;
  /** Absent is fine. */
  removeLink(name: string): Promise<void>;
  close(): Promise<void>;
}
