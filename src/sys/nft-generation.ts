import { NETLINK_NETFILTER, NetlinkSocket } from './netlink.ts';
import { decodeAttributes, NetlinkWriter } from './netlink-message.ts';

// linux/netfilter/nf_tables.h: NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN
const GET_GENERATION = (10 << 8) | 16;
const NFTA_GEN_ID = 1;

/**
 * The number of nftables' rules in the network namespace that the calling thread is in: each transaction of anybody makes it one more.
 * Blocks, for microseconds.
 *
 * @throws NetlinkError where the kernel has no nftables.
 */
export function rulesGeneration(): number {
  using netfilter = new NetlinkSocket(NETLINK_NETFILTER);
  const header = new NetlinkWriter().u8(0).u8(0).u16(0).bytes();
  const answer = netfilter.get(GET_GENERATION, header, 'ask for the generation of nftables');
  return answer === undefined ? 0 : (decodeAttributes(answer.body, 4).get(NFTA_GEN_ID)?.readUInt32BE(0) ?? 0);
}
