import type { NetworkMembership } from './container-networks.ts';

/** A container's endpoint on one network, running or not. */
export interface NetworkEndpointView {
  networkName: string;
  networkId: string;
  endpointId: string;
  macAddress: string;
  ipv4Address: string;
  ipv4PrefixLength: number;
  gateway: string;
  ipv6Address: string;
  ipv6PrefixLength: number;
  ipv6Gateway: string;
  /** What was asked for. */
  asked: NetworkMembership;
  /** What others find it by; undefined where they don't. */
  names: string[] | undefined;
}
