import type { Exposure } from '../../network/exposure/exposure.ts';
import type { CreateNetworkRequest, Endpoint, NetworkInfo } from '../../network/network-driver.ts';
import type { NetworkMembership } from './container-networks.ts';

/** A container that is on a network now. */
export interface NetworkMember {
  containerId: string;
  name: string;
  endpoint: Endpoint;
}

/** A network, and who is on it. */
export interface NetworkView extends NetworkInfo {
  members: NetworkMember[];
}

/** Networks as `server/` needs them. `network` is a name, an id, or a prefix of one id. */
export interface NetworkBackend {
  list(): Promise<NetworkView[]>;
  get(network: string): Promise<NetworkView | undefined>;
  /** Which ports of running containers are reached from where. */
  exposure(): Promise<Exposure[]>;
  /** @throws as `Networks.create`. */
  create(request: CreateNetworkRequest): Promise<NetworkInfo>;
  /** @throws EngineError "not-found", "forbidden" while containers are on it or when it is predefined. */
  remove(network: string): Promise<void>;
  /** Remove the unused ones that `isWanted`. @returns their names. */
  prune(isWanted: (network: NetworkInfo) => boolean, options: { signal: AbortSignal }): Promise<string[]>;
  /** Running or not. @throws EngineError "not-found" for either, "forbidden" where it can't be or is already. */
  connect(network: string, container: string, settings: NetworkMembership): Promise<void>;
  /** `force`: also a container that is no more. */
  disconnect(network: string, container: string, options: { force: boolean }): Promise<void>;
}
