import type { NameForwarding } from '../network-driver.ts';

/** A container that asks. */
export interface NamedContainer {
  id: string;
  namespacePath: string;
  /** Ids of those whose names it sees, in the order in which it asks them. */
  networks: string[];
  /** Names of its own, to names of others. */
  links: Record<string, string>;
  /** Undefined: it only reaches internal networks, and learns nothing of what is outside. */
  forwarding: NameForwarding | undefined;
}

/** A container that is asked for. */
export interface NamedEndpoint {
  id: string;
  networkId: string;
  networkName: string;
  /** The first is what an address is translated back to. */
  names: string[];
  addresses: string[];
}

export interface NameState {
  containers: NamedContainer[];
  endpoints: NamedEndpoint[];
}

/** Where a name server listens, on 127.0.0.11 of a namespace. */
export interface NamePorts {
  udp: number;
  tcp: number;
}

/**
 * Answers for names in the namespaces of containers, each from sockets of its own there. Runs on while the daemon is down.
 */
export interface NameServer {
  /** What runs takes over this state, whole, and is started when nothing runs. @returns ports by container. */
  adopt(state: NameState): Promise<Map<string, NamePorts>>;
  /** Serve a container from now on, or with other networks than before. @throws EngineError when its namespace is gone. */
  serve(container: NamedContainer): Promise<NamePorts>;
  /** Unknown is fine. */
  forget(containerId: string): Promise<void>;
  add(endpoint: NamedEndpoint): Promise<void>;
  /** Unknown is fine. */
  remove(endpointId: string): Promise<void>;
  /** Called when what ran is lost: `adopt` starts it anew. */
  onLost(listener: () => void): void;
  /** `stop`: nobody needs it any more. */
  close(options: { stop: boolean }): Promise<void>;
}
