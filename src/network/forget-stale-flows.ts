import { forgetFlows, type TrackedFlow } from '../sys/conntrack.ts';
import { listAddresses } from '../sys/links.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../sys/netlink.ts';
import type { StaleFlows } from './host-network.ts';

/** Blocks: for worker threads. @throws NetlinkError where the kernel tracks no connections. */
export function forgetStaleFlows(host: NetlinkSocket, flows: readonly StaleFlows[]): void {
  using netfilter = new NetlinkSocket(NETLINK_NETFILTER);
  const local = new Set(listAddresses(host).map(({ address }) => address));
  for (const { protocol, family, hostPort, ...wanted } of flows)
    forgetFlows(netfilter, { protocol, family, destinationPort: hostPort }, (flow) =>
      isStale(flow, wanted, local),
    );
}

/** Others may send to a port of that number elsewhere, past us: what they have is not ours to touch. */
function isStale(
  { original, reply }: TrackedFlow,
  { hostAddress, target }: Pick<StaleFlows, 'hostAddress' | 'target'>,
  local: ReadonlySet<string>,
): boolean {
  if (hostAddress !== undefined && original.destination !== hostAddress) return false;
  if (target !== undefined)
    return (
      reply.source === target.address &&
      reply.sourcePort === target.port &&
      original.destination !== target.address
    );
  return reply.source === original.destination && local.has(original.destination);
}
