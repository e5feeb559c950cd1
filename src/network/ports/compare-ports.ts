import { hasIpv6 } from './host-facts.ts';
import type { PortHolding, PortRequest, PublishRequest } from './published-ports.ts';

/**
 * What of a container's ports is as it is wanted already, and what is to be published; what is fixed comes first, as no choice of ours may
 * take it away.
 */
export function comparePorts(
  request: PublishRequest,
  present: readonly PortHolding[],
): { kept: PortHolding[]; missing: PortRequest[] } {
  const kept: PortHolding[] = [];
  const missing: PortRequest[] = [];
  for (const port of inOrder(request.ports)) {
    // A container's own port is opened once, whoever asks for it.
    const free = present.filter((holding) => holding.routed === true || !kept.includes(holding));
    const found = alreadyThere(wantedHoldings(request, port), port, free);
    if (found === undefined) missing.push(port);
    else kept.push(...found);
  }
  return { kept: [...new Set(kept)], missing };
}

/** All of them, at one port of the host, or none. */
function alreadyThere(
  wanted: readonly PortHolding[],
  { hostPorts }: PortRequest,
  free: readonly PortHolding[],
): PortHolding[] | undefined {
  const [routed, translated] = [wanted.filter(isRouted), wanted.filter((one) => !isRouted(one))];
  const open = routed.map((one) => free.find((holding) => isSame(one, holding)));
  if (!open.every((one) => one !== undefined)) return undefined;
  if (translated.length === 0) return open;
  const candidates = new Set(
    free
      .filter((holding) => !isRouted(holding) && isWithin(holding, hostPorts))
      .map(({ hostPort }) => hostPort),
  );
  for (const hostPort of candidates) {
    const found = translated.map((one) =>
      free.find((holding) => holding.hostPort === hostPort && isSame(one, holding)),
    );
    if (found.every((one) => one !== undefined)) return [...open, ...found];
  }
  return undefined;
}

function isRouted({ routed }: PortHolding): boolean {
  return routed === true;
}

function isSame(wanted: PortHolding, held: PortHolding): boolean {
  return (
    held.protocol === wanted.protocol &&
    held.hostAddress === wanted.hostAddress &&
    held.containerPort === wanted.containerPort &&
    held.target === wanted.target &&
    held.shared === wanted.shared &&
    held.routed === wanted.routed
  );
}

/** What a request is to hold, but for the port of the host. A routed port is open on the container's address, whichever of the host's was named. */
export function wantedHoldings(
  { containerId, containerName, ipv4, ipv6, shared, routed }: PublishRequest,
  { protocol, containerPort, hostAddresses }: PortRequest,
): PortHolding[] {
  const any = ['0.0.0.0', ...(hasIpv6() ? ['::'] : [])];
  const addresses = new Set(hostAddresses.flatMap((address) => (address === '' ? any : [address])));
  const holdings: PortHolding[] = [...addresses].flatMap((hostAddress) => {
    const family = hostAddress.includes(':') ? 6 : 4;
    // The helper carries IPv6 to a container that has none, as Docker's proxy does; nothing carries IPv4 to one of IPv6 alone.
    const target = hostAddress.includes(':') ? (ipv6 ?? (protocol === 'sctp' ? undefined : ipv4)) : ipv4;
    if (target === undefined) return [];
    const holding = { containerId, containerName, protocol, hostAddress, hostPort: 0, containerPort, target };
    if (routed.includes(family) && target.includes(':') === (family === 6))
      return [{ ...holding, hostAddress: family === 6 ? '::' : '0.0.0.0', routed: true as const }];
    return [shared ? { ...holding, shared: true as const, resting: true as const } : holding];
  });
  return holdings.filter(
    (one, at) => !isRouted(one) || holdings.findIndex((other) => isSame(one, other)) === at,
  );
}

/** Whether the port that a request is given may be the one that is held. */
export function mayMeet({ protocol, hostPorts }: PortRequest, held: PortHolding): boolean {
  return protocol === held.protocol && !isRouted(held) && isWithin(held, hostPorts);
}

/** Whether the container is there now. */
export function isTarget({ ipv4, ipv6 }: PublishRequest, target: string): boolean {
  return target === ipv4 || target === ipv6;
}

function isWithin({ hostPort }: PortHolding, range: PortRequest['hostPorts']): boolean {
  return range === undefined || (hostPort >= range.from && hostPort <= range.to);
}

function inOrder(ports: readonly PortRequest[]): PortRequest[] {
  const freedom = ({ hostPorts }: PortRequest): number =>
    hostPorts === undefined ? Number.POSITIVE_INFINITY : hostPorts.to - hostPorts.from;
  return ports.toSorted((one, other) => {
    const [left, right] = [freedom(one), freedom(other)];
    return left === right ? 0 : left < right ? -1 : 1;
  });
}
