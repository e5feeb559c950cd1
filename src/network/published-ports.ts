import { randomUUID } from 'node:crypto';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { PortKeeper, PortReservation } from './names/port-keeper.ts';
import type { Endpoint } from './network-driver.ts';
import type { PortProtocol, PortRule } from './ruleset.ts';

/** A port of a container that is to be reached by one of the host's. */
export interface PortRequest {
  protocol: PortProtocol;
  port: number;
  /** '': any. */
  hostAddress: string;
  /** The first that is free of these; undefined: one of the kernel's choice. */
  hostPorts: { from: number; to: number } | undefined;
}

/** How it is reached. */
export interface PublishedPort {
  protocol: PortProtocol;
  port: number;
  /** `0.0.0.0`, `::`, or one of the host's. */
  hostAddress: string;
  hostPort: number;
  /** What the reservation is known by. */
  reservation: string;
}

const ANY = ['0.0.0.0', '::'];

export interface PublishContext {
  endpoint: Endpoint;
  /** Where ports listen that name no address; undefined: on all. */
  hostBinding: string | undefined;
  /** Of all containers. */
  taken: readonly Endpoint[];
  keeper: PortKeeper;
}

/** Reserve a port of the host for a request, one for each family of the container's. @throws EngineError "forbidden" when it is taken. */
export async function publishPort(request: PortRequest, context: PublishContext): Promise<PublishedPort[]> {
  const addresses = hostAddresses(request, context);
  const { hostPorts = { from: 0, to: 0 } } = request;
  let refused: unknown;
  for (let port = hostPorts.from; port <= hostPorts.to; port++) {
    try {
      return await reserveAll(request, addresses, port, context);
    } catch (error) {
      refused ??= error;
    }
  }
  throw refused;
}

/** Absent is fine. */
export async function unpublishPorts(endpoint: Endpoint, keeper: PortKeeper): Promise<void> {
  for (const published of endpoint.ports) await keeper.release(published.reservation);
}

/** What the firewall makes of them. */
export function portRules(endpoint: Endpoint): PortRule[] {
  return endpoint.ports.flatMap(({ protocol, port, hostAddress, hostPort }) => {
    const own = hostAddress.includes(':') ? endpoint.ipv6 : endpoint.ipv4;
    if (own === undefined) return [];
    const address = ANY.includes(hostAddress) ? undefined : hostAddress;
    return [{ protocol, hostAddress: address, hostPort, address: own.address, port }];
  });
}

/** The reservations that an endpoint holds. */
export function reservationsOf(endpoint: Endpoint): PortReservation[] {
  return endpoint.ports.map(reservationOf);
}

function hostAddresses({ hostAddress }: PortRequest, { endpoint, hostBinding }: PublishContext): string[] {
  if (hostAddress !== '') {
    const own = hostAddress.includes(':') ? endpoint.ipv6 : endpoint.ipv4;
    if (own !== undefined) return [hostAddress];
    throw new EngineError(
      'invalid',
      `cannot publish on ${hostAddress}: the container has no address of that family`,
    );
  }
  return [
    ...(endpoint.ipv4 === undefined ? [] : [hostBinding ?? '0.0.0.0']),
    ...(endpoint.ipv6 === undefined || hostBinding !== undefined ? [] : ['::']),
  ];
}

async function reserveAll(
  { protocol, port }: PortRequest,
  addresses: readonly string[],
  wanted: number,
  context: PublishContext,
): Promise<PublishedPort[]> {
  const made: PublishedPort[] = [];
  try {
    for (const hostAddress of addresses) {
      const hostPort = made[0]?.hostPort ?? wanted;
      made.push(await reserve({ protocol, port, hostAddress, hostPort, reservation: randomUUID() }, context));
    }
    return made;
  } catch (error) {
    for (const published of made) await context.keeper.release(published.reservation);
    throw error;
  }
}

async function reserve(published: PublishedPort, context: PublishContext): Promise<PublishedPort> {
  const { hostAddress, hostPort, protocol, port } = published;
  const shown = hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress;
  const holder = context.taken.find(({ ports }) => ports.some((other) => collides(other, published)));
  if (holder !== undefined) {
    const by = holder.names[0] ?? holder.containerId.slice(0, 12);
    throw new EngineError(
      'forbidden',
      `Bind for ${shown}:${hostPort} failed: port is already allocated (by container ${by})`,
    );
  }
  try {
    return { ...published, hostPort: await context.keeper.reserve(reservationOf(published)) };
  } catch (error) {
    const reason = /EADDRINUSE|errno 98/.test(messageOf(error)) ? 'address already in use' : messageOf(error);
    const own = hostAddress.includes(':')
      ? `[${context.endpoint.ipv6?.address}]`
      : context.endpoint.ipv4?.address;
    throw new EngineError(
      'forbidden',
      `failed to bind host port for ${shown}:${hostPort}:${own}:${port}/${protocol}: ${reason}`,
      { cause: error },
    );
  }
}

function collides(one: PublishedPort, other: PublishedPort): boolean {
  if (one.hostPort !== other.hostPort || one.protocol !== other.protocol) return false;
  const sameFamily = one.hostAddress.includes(':') === other.hostAddress.includes(':');
  const isAny = ANY.includes(one.hostAddress) || ANY.includes(other.hostAddress);
  return sameFamily && (isAny || one.hostAddress === other.hostAddress);
}

function reservationOf({ reservation, protocol, hostAddress, hostPort }: PublishedPort): PortReservation {
  return { key: reservation, protocol, address: hostAddress, port: hostPort };
}
