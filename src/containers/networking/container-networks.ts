import type { Endpoint, NetworkInfo } from '../../network/network-driver.ts';
import { ownerOf } from '../namespaces/namespace-modes.ts';
import type { ContainerRecord } from '../record/container-record.ts';

/** A network that each start joins, with how. */
export interface NetworkMembership {
  /** By name where there was one of it when it was asked for, else as the user said it. */
  network: string;
  aliases: string[];
  /** Addresses that it shall have; '': any. */
  ipv4Address: string;
  ipv6Address: string;
  linkLocalAddresses: string[];
  macAddress: string;
  driverOptions: Record<string, string>;
  gatewayPriority: number;
  /** `container:alias` */
  links: string[];
}

export function membershipOf(network: string): NetworkMembership {
  return {
    network,
    aliases: [],
    ipv4Address: '',
    ipv6Address: '',
    linkLocalAddresses: [],
    macAddress: '',
    driverOptions: {},
    gatewayPriority: 0,
    links: [],
  };
}

/** The network that a mode names. */
export function networkOfMode(mode: string): string {
  return mode === '' || mode === 'default' ? 'bridge' : mode;
}

/** In the order in which a start joins them, that of the mode first; none with another container's. */
export function networksOf({
  host,
  networks,
}: Pick<ContainerRecord, 'host' | 'networks'>): NetworkMembership[] {
  return ownerOf(host.networkMode) === undefined ? networks : [];
}

/** Memberships of a new container: the mode's network, with what was said of it, then the others. */
export function initialNetworks(
  mode: string,
  asked: readonly NetworkMembership[],
  known: (network: string) => NetworkInfo | undefined,
): NetworkMembership[] {
  if (ownerOf(mode) !== undefined) return [];
  const canonical = (network: string): string =>
    known(networkOfMode(network))?.name ?? networkOfMode(network);
  const first = canonical(mode);
  const memberships = new Map([[first, membershipOf(first)]]);
  for (const membership of asked) {
    const network = canonical(membership.network);
    memberships.set(network, { ...membership, network });
  }
  return [...memberships.values()];
}

/** What others on a user's network find a container by, in Docker's order; on predefined ones they don't. */
export function namesOf(
  { id, name, config }: Pick<ContainerRecord, 'id' | 'name' | 'config'>,
  { aliases }: Pick<NetworkMembership, 'aliases'>,
): string[] {
  return [...new Set([name, ...aliases, id.slice(0, 12), config.hostname].filter((one) => one !== ''))];
}

/** `db:database` makes `database` a name of `db`. */
export function linkNames({ links }: Pick<NetworkMembership, 'links'>): Record<string, string> {
  return Object.fromEntries(
    links.map((link) => {
      const [target = '', alias = target] = link.split(':');
      return [alias.toLowerCase(), target];
    }),
  );
}

/** The endpoint that a membership has led to. */
export function endpointOf(
  { network }: Pick<NetworkMembership, 'network'>,
  endpoints: readonly Endpoint[],
): Endpoint | undefined {
  return endpoints.find(({ networkName, networkId }) => networkName === network || networkId === network);
}

/** Start and clear-away share this: whether a start of this container has a network namespace of its own. */
export function usesOwnNetwork(networkMode: string): boolean {
  return networkMode !== 'host' && ownerOf(networkMode) === undefined;
}
