import type { ContainerRecord } from './container-record.ts';
import { ownerOf } from './namespace-modes.ts';

/** A network that each start joins, with how. */
export interface NetworkMembership {
  /** By name, id or id prefix. */
  network: string;
}

/** In the order in which a start joins them. One so far, which the network mode names; none with another container's. */
export function networksOf({ host }: Pick<ContainerRecord, 'host'>): NetworkMembership[] {
  const { networkMode: mode } = host;
  if (ownerOf(mode) !== undefined) return [];
  return [{ network: mode === '' || mode === 'default' ? 'bridge' : mode }];
}

/** Start and clear-away share this: whether a start of this container has a network namespace of its own. */
export function usesOwnNetwork(networkMode: string): boolean {
  return networkMode !== 'host' && ownerOf(networkMode) === undefined;
}
