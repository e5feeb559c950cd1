import { errno } from './errno.ts';
import { ipText } from './links.ts';
import { NetlinkError, type NetlinkSocket } from './netlink.ts';
import { decodeAttributes, NetlinkWriter } from './netlink-message.ts';

// linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h
const GET = 0x101;
const DELETE = 0x102;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const NESTED = 0x8000;
/** Bits of `CTA_FILTER_ORIG_FLAGS` (net/netfilter/nf_internals.h). */
const FILTER_PROTOCOL_AND_DST_PORT = (1 << 3) | (1 << 5);
const AF_INET = 2;
const AF_INET6 = 10;
const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 };

export interface FlowSide {
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
}

/** A flow that the kernel's connection tracking remembers. */
export interface TrackedFlow {
  /** As the first packet was. */
  original: FlowSide;
  /** As answers are expected: what was translated shows in that they are no mirror image. */
  reply: FlowSide;
}

export interface FlowQuery {
  family: 4 | 6;
  protocol: keyof typeof PROTOCOLS;
  /** Of the first packet. */
  destinationPort: number;
}

/**
 * Have the kernel forget flows, so that their next packet is looked at anew. Blocks: for worker threads.
 *
 * @returns how many there were.
 * @throws NetlinkError
 */
export function forgetFlows(
  netfilter: NetlinkSocket,
  query: FlowQuery,
  isUnwanted: (flow: TrackedFlow) => boolean,
): number {
  const family = query.family === 4 ? AF_INET : AF_INET6;
  const what = `list the flows to ${query.protocol} port ${query.destinationPort}`;
  let count = 0;
  for (const { body } of netfilter.dump(GET, dumpRequest(family, query), what)) {
    const attributes = decodeAttributes(body, 4);
    const [original, reply] = [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY].map((side) =>
      decodeTuple(attributes.get(side)),
    );
    if (original === undefined || reply === undefined) continue;
    // A kernel before 5.8 knows no filter, and shows all.
    if (original.protocol !== PROTOCOLS[query.protocol] || original.destinationPort !== query.destinationPort)
      continue;
    if (!isUnwanted({ original, reply })) continue;
    const request = header(family);
    request.attribute(CTA_TUPLE_ORIG | NESTED, attributes.get(CTA_TUPLE_ORIG) ?? Buffer.alloc(0));
    for (const type of [CTA_ID, CTA_ZONE]) {
      const value = attributes.get(type);
      if (value !== undefined) request.attribute(type, value);
    }
    if (remove(netfilter, request.bytes())) count++;
  }
  return count;
}

/** One that has gone by itself meanwhile is none. */
function remove(netfilter: NetlinkSocket, request: Buffer): boolean {
  try {
    netfilter.change(DELETE, request, { what: 'forget a flow' });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === errno.ENOENT) return false;
    throw error;
  }
}

function dumpRequest(family: number, { protocol, destinationPort }: FlowQuery): Buffer {
  const port = Buffer.alloc(2);
  port.writeUInt16BE(destinationPort);
  return header(family)
    .nest(CTA_TUPLE_ORIG | NESTED, (tuple) =>
      tuple.nest(CTA_TUPLE_PROTO | NESTED, (proto) =>
        proto
          .attribute(CTA_PROTO_NUM, Uint8Array.of(PROTOCOLS[protocol]))
          .attribute(CTA_PROTO_DST_PORT, port),
      ),
    )
    .nest(CTA_FILTER | NESTED, (filter) =>
      filter.attributeU32(CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL_AND_DST_PORT),
    )
    .bytes();
}

/** `struct nfgenmsg` */
function header(family: number): NetlinkWriter {
  return new NetlinkWriter().u8(family).u8(0).u16(0);
}

function decodeTuple(tuple: Buffer | undefined): (FlowSide & { protocol: number }) | undefined {
  if (tuple === undefined) return undefined;
  const sides = decodeAttributes(tuple);
  const [ip, proto] = [sides.get(CTA_TUPLE_IP), sides.get(CTA_TUPLE_PROTO)];
  if (ip === undefined || proto === undefined) return undefined;
  const [addresses, numbers] = [decodeAttributes(ip), decodeAttributes(proto)];
  const address = (v4: number, v6: number): string => ipText(addresses.get(v4) ?? addresses.get(v6)) ?? '';
  const port = (type: number): number => numbers.get(type)?.readUInt16BE(0) ?? 0;
  return {
    protocol: numbers.get(CTA_PROTO_NUM)?.[0] ?? 0,
    source: address(1, 3),
    destination: address(2, 4),
    sourcePort: port(CTA_PROTO_SRC_PORT),
    destinationPort: port(CTA_PROTO_DST_PORT),
  };
}
