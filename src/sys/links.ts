import { NetlinkError, type NetlinkSocket, NLM_F_CREATE, NLM_F_EXCL } from './netlink.ts';
import { attributeText, decodeAttributes, type NetlinkMessage, NetlinkWriter } from './netlink-message.ts';

// linux/if_link.h, linux/if_addr.h, linux/rtnetlink.h
const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  GETROUTE: 26,
};
const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  NET_NS_FD: 28,
  EXT_MASK: 29,
};
const IFLA_INFO = { KIND: 1, DATA: 2 };
const SKIP_STATISTICS = 8;
const VETH_INFO_PEER = 1;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4 };
const RTA = { DST: 1, OIF: 4, GATEWAY: 5 };
const IFF_UP = 1;
const AF_INET = 2;
const ENODEV = 19;
const EEXIST = 17;
const ROUTE_TABLE_MAIN = 254;
const PROTOCOL_BOOT = 3;
const TYPE_UNICAST = 1;

export interface Link {
  index: number;
  name: string;
  /** `bridge`, `veth` …; empty for real hardware. */
  kind: string;
  /** A free text that we mark our own by. */
  alias: string;
  macAddress: string;
  masterIndex: number;
  up: boolean;
}

/** An address (or network) with its prefix; `address` is IPv4 dotted. */
export interface Ipv4Prefix {
  address: string;
  prefixLength: number;
}

export function listLinks(socket: NetlinkSocket): Link[] {
  return socket
    .dump(RTM.GETLINK, linkHeader({}).attributeU32(IFLA.EXT_MASK, SKIP_STATISTICS).bytes(), 'list interfaces')
    .map(decodeLink);
}

export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  const body = linkHeader({})
    .attributeU32(IFLA.EXT_MASK, SKIP_STATISTICS)
    .attributeText(IFLA.IFNAME, name)
    .bytes();
  try {
    const answer = socket.get(RTM.GETLINK, body, `find interface ${name}`);
    return answer === undefined ? undefined : decodeLink(answer);
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENODEV) return undefined;
    throw error;
  }
}

export function addBridge(
  socket: NetlinkSocket,
  bridge: { name: string; macAddress: string; mtu: number },
): void {
  const body = linkHeader({})
    .attributeText(IFLA.IFNAME, bridge.name)
    .attribute(IFLA.ADDRESS, macBytes(bridge.macAddress))
    .attributeU32(IFLA.MTU, bridge.mtu)
    .nest(IFLA.LINKINFO, (info) => info.attributeText(IFLA_INFO.KIND, 'bridge'))
    .bytes();
  socket.change(RTM.NEWLINK, body, {
    what: `create bridge ${bridge.name}`,
    flags: NLM_F_CREATE | NLM_F_EXCL,
  });
}

export interface VethRequest {
  hostName: string;
  bridgeIndex: number;
  /** The end in the namespace: made there, down, under its final name. */
  peerName: string;
  peerMacAddress: string;
  namespaceFd: number;
  mtu: number;
}

/** A pair whose host end is up and in the bridge, and whose peer is born in its namespace (a later move costs ten times as much). */
export function addVeth(socket: NetlinkSocket, veth: VethRequest): void {
  const body = linkHeader({ up: true })
    .attributeText(IFLA.IFNAME, veth.hostName)
    .attributeU32(IFLA.MTU, veth.mtu)
    .attributeU32(IFLA.MASTER, veth.bridgeIndex)
    .nest(IFLA.LINKINFO, (info) =>
      info
        .attributeText(IFLA_INFO.KIND, 'veth')
        .nest(IFLA_INFO.DATA, (data) =>
          data.nest(VETH_INFO_PEER, (peer) =>
            writeLinkHeader(peer, {})
              .attributeText(IFLA.IFNAME, veth.peerName)
              .attribute(IFLA.ADDRESS, macBytes(veth.peerMacAddress))
              .attributeU32(IFLA.MTU, veth.mtu)
              .attributeU32(IFLA.NET_NS_FD, veth.namespaceFd),
          ),
        ),
    )
    .bytes();
  socket.change(RTM.NEWLINK, body, {
    what: `create interface ${veth.hostName}`,
    flags: NLM_F_CREATE | NLM_F_EXCL,
  });
}

export function setLinkUp(socket: NetlinkSocket, index: number): void {
  socket.change(RTM.NEWLINK, linkHeader({ index, up: true }).bytes(), {
    what: `bring up interface ${index}`,
  });
}

export function setLinkMaster(socket: NetlinkSocket, index: number, masterIndex: number): void {
  const body = linkHeader({ index }).attributeU32(IFLA.MASTER, masterIndex).bytes();
  socket.change(RTM.NEWLINK, body, { what: `put interface ${index} into its bridge` });
}

export function setLinkAlias(socket: NetlinkSocket, index: number, alias: string): void {
  const body = linkHeader({ index }).attribute(IFLA.IFALIAS, Buffer.from(alias)).bytes();
  socket.change(RTM.NEWLINK, body, { what: `mark interface ${index}` });
}

/** Absent is fine. */
export function removeLink(socket: NetlinkSocket, name: string): void {
  const body = linkHeader({}).attributeText(IFLA.IFNAME, name).bytes();
  try {
    socket.change(RTM.DELLINK, body, { what: `remove interface ${name}` });
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== ENODEV) throw error;
  }
}

export function listAddresses(socket: NetlinkSocket): (Ipv4Prefix & { index: number })[] {
  const body = addressHeader({ index: 0, prefixLength: 0 }).bytes();
  return socket.dump(RTM.GETADDR, body, 'list addresses').flatMap(({ body: answer }) => {
    const attributes = decodeAttributes(answer, 8);
    const local = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS);
    if (local?.length !== 4) return [];
    return [{ index: answer.readUInt32LE(4), address: local.join('.'), prefixLength: answer.readUInt8(1) }];
  });
}

/** An address that is there already is fine. */
export function addAddress(socket: NetlinkSocket, index: number, prefix: Ipv4Prefix): void {
  const address = ipv4Bytes(prefix.address);
  const hostMask = prefix.prefixLength === 0 ? 0xffff_ffff : 2 ** (32 - prefix.prefixLength) - 1;
  const broadcast = Buffer.alloc(4);
  broadcast.writeUInt32BE((address.readUInt32BE(0) | hostMask) >>> 0);
  const body = addressHeader({ index, prefixLength: prefix.prefixLength })
    .attribute(IFA.LOCAL, address)
    .attribute(IFA.ADDRESS, address)
    .attribute(IFA.BROADCAST, broadcast)
    .bytes();
  try {
    socket.change(RTM.NEWADDR, body, {
      what: `add address ${prefix.address}`,
      flags: NLM_F_CREATE | NLM_F_EXCL,
    });
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== EEXIST) throw error;
  }
}

export function removeAddress(socket: NetlinkSocket, index: number, prefix: Ipv4Prefix): void {
  const body = addressHeader({ index, prefixLength: prefix.prefixLength })
    .attribute(IFA.LOCAL, ipv4Bytes(prefix.address))
    .bytes();
  socket.change(RTM.DELADDR, body, { what: `remove address ${prefix.address}` });
}

export function addDefaultRoute(socket: NetlinkSocket, gateway: string): void {
  const body = routeHeader({ table: ROUTE_TABLE_MAIN, protocol: PROTOCOL_BOOT })
    .attribute(RTA.GATEWAY, ipv4Bytes(gateway))
    .bytes();
  socket.change(RTM.NEWROUTE, body, { what: `route through ${gateway}`, flags: NLM_F_CREATE | NLM_F_EXCL });
}

/** Destinations of all IPv4 routes but the default ones, local tables included, with the interface they leave by. */
export function listRoutes(socket: NetlinkSocket): (Ipv4Prefix & { index: number })[] {
  const body = routeHeader({ table: 0, protocol: 0 }).bytes();
  return socket.dump(RTM.GETROUTE, body, 'list routes').flatMap(({ body: answer }) => {
    const attributes = decodeAttributes(answer, 12);
    const destination = attributes.get(RTA.DST);
    if (destination?.length !== 4) return [];
    const index = attributes.get(RTA.OIF)?.readUInt32LE(0) ?? 0;
    return [{ index, address: destination.join('.'), prefixLength: answer.readUInt8(1) }];
  });
}

export function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

function ipv4Bytes(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

interface LinkHeader {
  index?: number;
  up?: boolean;
}

function linkHeader(header: LinkHeader): NetlinkWriter {
  return writeLinkHeader(new NetlinkWriter(), header);
}

function writeLinkHeader(writer: NetlinkWriter, { index = 0, up = false }: LinkHeader): NetlinkWriter {
  const flags = up ? IFF_UP : 0;
  return writer.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(flags);
}

function addressHeader(header: { index: number; prefixLength: number }): NetlinkWriter {
  return new NetlinkWriter().u8(AF_INET).u8(header.prefixLength).u8(0).u8(0).u32(header.index);
}

function routeHeader(header: { table: number; protocol: number }): NetlinkWriter {
  const writer = new NetlinkWriter().u8(AF_INET).u8(0).u8(0).u8(0);
  return writer.u8(header.table).u8(header.protocol).u8(0).u8(TYPE_UNICAST).u32(0);
}

function decodeLink({ body }: NetlinkMessage): Link {
  const attributes = decodeAttributes(body, 16);
  const info = attributes.get(IFLA.LINKINFO);
  const mac = attributes.get(IFLA.ADDRESS) ?? Buffer.alloc(0);
  return {
    index: body.readUInt32LE(4),
    name: attributeText(attributes.get(IFLA.IFNAME)),
    kind: info === undefined ? '' : attributeText(decodeAttributes(info).get(IFLA_INFO.KIND)),
    alias: attributeText(attributes.get(IFLA.IFALIAS)),
    macAddress: [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    masterIndex: attributes.get(IFLA.MASTER)?.readUInt32LE(0) ?? 0,
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
  };
}
