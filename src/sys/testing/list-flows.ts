import { type FlowQuery, forgetFlows, type TrackedFlow } from '../conntrack.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink.ts';

/** What connection tracking knows of a port, for tests. Blocks. */
export function listFlows(query: FlowQuery): TrackedFlow[] {
  const flows: TrackedFlow[] = [];
  using netfilter = new NetlinkSocket(NETLINK_NETFILTER);
  forgetFlows(netfilter, query, (flow) => {
    flows.push(flow);
    return false;
  });
  return flows;
}
