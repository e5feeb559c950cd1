import type { IpPrefix, SubLinkKind } from '../sys/links.ts';
import type { InterfaceSysctl } from './endpoint-options.ts';
import type { Family, HostForwarding } from './forwarding/host-forwarding.ts';

export interface BridgeRequest {
  name: string;
  /** Our mark, written to the interface's alias: what bears another is not ours to touch. */
  owner: string;
  macAddress: string;
  addresses: IpPrefix[];
  mtu: number;
  /** Interfaces that belong in it; those that are gone are passed over. */
  ports: string[];
  /** Its ports see the bridge and not each other. */
  isolated: boolean;
  /** Where containers hang on one. */
  trunk: Trunk | undefined;
}

/**
 * A bridge has 1,023 ports (BR_MAX_PORTS). Containers beyond share one: a cable of two ends, `port` in the bridge, and `parent`, on which
 * they have macvlan interfaces.
 */
export interface Trunk {
  port: string;
  parent: string;
  /** The mark of both. */
  owner: string;
}

/** Where a container's interface leads. */
export type Attachment =
  | {
      kind: 'bridge';
      bridgeName: string;
      /** The bridge's mark. */
      owner: string;
      hostInterfaceName: string;
      isolated: boolean;
    }
  | {
      kind: 'trunk';
      bridgeName: string;
      /** The bridge's mark. */
      owner: string;
      trunk: Trunk;
      isolated: boolean;
    }
  | { kind: 'parent'; parent: string; type: SubLinkKind };

/** A way out of a namespace: by a gateway, or (undefined) straight by the interface. */
export interface Way {
  interfaceName: string;
  gateway: string | undefined;
}

/** Default routes of a namespace, whole: undefined is none. */
export interface DefaultWays {
  ipv4: Way | undefined;
  ipv6: Way | undefined;
}

export interface AttachRequest {
  namespacePath: string;
  to: Attachment;
  interfaceName: string;
  /** Undefined: of the kernel's choice. */
  macAddress: string | undefined;
  addresses: IpPrefix[];
  sysctls: InterfaceSysctl[];
  /** As they are to be once this interface is there. */
  ways: DefaultWays;
  /** 0: the parent's. */
  mtu: number;
}

export interface ParentRequest {
  name: string;
  /** Ours by this mark, when we make it. */
  owner: string;
  /** `eth0.10` is made as VLAN 10 of `eth0` when it is missing; a name that is undefined here must be there. */
  make: { vlan: { parent: string; id: number } } | 'dummy' | undefined;
}

export interface HostLink {
  name: string;
  kind: string;
  alias: string;
}

/** Flows that connection tracking is to forget: to a port of the host, of a protocol without connections. */
export interface StaleFlows {
  protocol: 'udp' | 'sctp';
  /** Of the host; undefined: any of this family. */
  hostAddress: string | undefined;
  family: 4 | 6;
  hostPort: number;
  /** Where they lead; undefined: to the host itself. */
  target: { address: string; port: number } | undefined;
}

/** What has to be done to the host's interfaces and namespaces. Blocking work: implementations do it off the main thread. */
export interface HostNetwork {
  /** Run `work` while no other daemon of this machine does: names and subnets are chosen from what is free. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  links(): Promise<HostLink[]>;
  /** Addresses and routes (but the default ones) in use, those of `exceptLink` left out. */
  usedSubnets(exceptLink: string | undefined): Promise<IpPrefix[]>;
  addressesOf(link: string): Promise<IpPrefix[]>;
  /**
   * Make or repair the bridge: addresses, ports, up.
   *
   * @throws EngineError "conflict" when the name belongs to an interface that isn't ours.
   */
  ensureBridge(request: BridgeRequest): Promise<void>;
  /** What macvlan and ipvlan stand on. @throws EngineError "invalid" when it is not there and can't be made. */
  ensureParent(request: ParentRequest): Promise<void>;
  /**
   * A namespace with `lo` up, pinned at `path`. There already is fine. Resolves to whether one was ready. `userNamespace`: a descriptor of the one
   * that it is to belong to; default: ours.
   */
  createNamespace(path: string, userNamespace?: number): Promise<boolean>;
  /** Absent is fine. */
  removeNamespace(path: string): Promise<void>;
  /**
   * An interface in the namespace, with addresses and default routes. A failure leaves no interface.
   *
   * @returns its MAC address.
   * @throws EngineError "unavailable" when bridge or parent is gone, or another has its name; "internal" in Docker's words for what the
   * container asks of its interface.
   */
  attach(request: AttachRequest): Promise<string>;
  setWays(namespacePath: string, ways: DefaultWays): Promise<void>;
  /** Absent is fine. */
  removeLink(name: string): Promise<void>;
  /** Of a namespace; its absence is fine, too. */
  removeLinkInside(namespacePath: string, name: string): Promise<void>;
  /** Inside the namespace, what is sent to port 53 of 127.0.0.11 goes to these ports of it. */
  redirectNames(namespacePath: string, ports: { udp: number; tcp: number }): Promise<void>;
  forwarding(): Promise<HostForwarding>;
  /** Off: but for these interfaces. */
  setForwarding(family: Family, wanted: { on: boolean; except: readonly string[] }): Promise<void>;
  /** So that the next packet of who keeps sending is looked at by the rules as they are now. */
  forgetFlows(flows: readonly StaleFlows[]): Promise<void>;
  /** Of nftables' rules: another after each transaction of anybody. */
  rulesGeneration(): Promise<number>;
  /** Commands for nft, in one transaction. */
  nft(commands: string): Promise<void>;
  close(): Promise<void>;
}
