import { EngineError } from '../errors/engine-error.ts';
import { bitsOf, formatIp, type IpFamily, parseIp } from './ip.ts';
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
  DELROUTE: 25,
  GETROUTE: 26,
};
const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  PROTINFO: 12,
  LINKINFO: 18,
  IFALIAS: 20,
  NET_NS_FD: 28,
  EXT_MASK: 29,
};
const IFLA_INFO = { KIND: 1, DATA: 2 };
const SKIP_STATISTICS = 8;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT = { MODE: 4, ISOLATED: 33 };
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN = { MODE: 1, FLAGS: 2 };
const NLA_F_NESTED = 0x8000;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4 };
const RTA = { DST: 1, OIF: 4, GATEWAY: 5 };
const IFF_UP = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_BRIDGE = 7;
/** No wait for others to object: the address is one that we gave out (linux/if_addr.h). */
const IFA_F_NODAD = 2;
const ENODEV = 19;
const EEXIST = 17;
const EOPNOTSUPP = 95;
const ENOENT = 2;
const ESRCH = 3;
const ROUTE_TABLE_MAIN = 254;
const PROTOCOL_BOOT = 3;
const TYPE_UNICAST = 1;
const SCOPE_LINK = 253;
const SCOPE_NOWHERE = 255;

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

/** An address (or network) with the length of its prefix. */
export interface IpPrefix {
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
  /** The other end, down, under its final name. Undefined: an address of the kernel's choice, the namespace of the socket. */
  peer: { name: string; macAddress: string | undefined; namespaceFd: number | undefined };
  mtu: number;
}

/** A pair whose host end is up and in the bridge, and whose peer is born in its namespace (a later move costs ten times as much). */
export function addVeth(socket: NetlinkSocket, veth: VethRequest): void {
  const body = linkHeader({ up: true })
    .attributeText(IFLA.IFNAME, veth.hostName)
    .attributeU32(IFLA.MTU, veth.mtu)
    .attributeU32(IFLA.MASTER, veth.bridgeIndex)
    .nest(IFLA.LINKINFO, (info) =>
      info.attributeText(IFLA_INFO.KIND, 'veth').nest(IFLA_INFO.DATA, (data) =>
        data.nest(VETH_INFO_PEER, (writer) => {
          const { name, macAddress, namespaceFd } = veth.peer;
          writeLinkHeader(writer, {}).attributeText(IFLA.IFNAME, name).attributeU32(IFLA.MTU, veth.mtu);
          if (macAddress !== undefined) writer.attribute(IFLA.ADDRESS, macBytes(macAddress));
          if (namespaceFd !== undefined) writer.attributeU32(IFLA.NET_NS_FD, namespaceFd);
          return writer;
        }),
      ),
    )
    .bytes();
  socket.change(RTM.NEWLINK, body, {
    what: `create interface ${veth.hostName}`,
    flags: NLM_F_CREATE | NLM_F_EXCL,
  });
}

export type SubLinkKind =
  | { kind: 'macvlan'; mode: 'private' | 'vepa' | 'bridge' | 'passthru' }
  | { kind: 'ipvlan'; mode: 'l2' | 'l3' | 'l3s'; flag: 'bridge' | 'private' | 'vepa' };

const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 };
const IPVLAN_FLAGS = { bridge: 0, private: 1, vepa: 2 };

export interface SubLinkRequest {
  name: string;
  parentIndex: number;
  type: SubLinkKind;
  /** Undefined: the parent's (ipvlan), or one of the kernel's choice. */
  macAddress: string | undefined;
  namespaceFd: number;
  mtu: number;
}

/** An interface on top of another, born in its namespace. */
export function addSubLink(socket: NetlinkSocket, request: SubLinkRequest): void {
  const { name, parentIndex, type, macAddress, namespaceFd, mtu } = request;
  const writer = linkHeader({}).attributeText(IFLA.IFNAME, name).attributeU32(IFLA.LINK, parentIndex);
  if (macAddress !== undefined) writer.attribute(IFLA.ADDRESS, macBytes(macAddress));
  if (mtu > 0) writer.attributeU32(IFLA.MTU, mtu);
  writer.attributeU32(IFLA.NET_NS_FD, namespaceFd).nest(IFLA.LINKINFO, (info) =>
    info.attributeText(IFLA_INFO.KIND, type.kind).nest(IFLA_INFO.DATA, (data) => {
      if (type.kind === 'macvlan') return data.attributeU32(IFLA_MACVLAN_MODE, MACVLAN_MODES[type.mode]);
      data.attribute(IFLA_IPVLAN.MODE, u16Bytes(IPVLAN_MODES[type.mode]));
      return data.attribute(IFLA_IPVLAN.FLAGS, u16Bytes(IPVLAN_FLAGS[type.flag]));
    }),
  );
  socket.change(RTM.NEWLINK, writer.bytes(), {
    what: `create ${type.kind} interface ${name}`,
    flags: NLM_F_CREATE | NLM_F_EXCL,
  });
}

/** One without hardware behind it, down: a dummy, or (where the kernel has none) an ifb, which drops what is sent to it as well. */
export function addDummy(socket: NetlinkSocket, name: string): void {
  try {
    addPlainLink(socket, name, 'dummy');
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    addPlainLink(socket, name, 'ifb');
  }
}

/** The kernel has no interfaces of that kind. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof NetlinkError && error.errno === EOPNOTSUPP;
}

function addPlainLink(socket: NetlinkSocket, name: string, kind: 'dummy' | 'ifb'): void {
  const body = linkHeader({})
    .attributeText(IFLA.IFNAME, name)
    .nest(IFLA.LINKINFO, (info) => info.attributeText(IFLA_INFO.KIND, kind))
    .bytes();
  socket.change(RTM.NEWLINK, body, { what: `create interface ${name}`, flags: NLM_F_CREATE | NLM_F_EXCL });
}

/** A VLAN interface on `parentIndex`. */
export function addVlan(
  socket: NetlinkSocket,
  vlan: { name: string; parentIndex: number; id: number },
): void {
  const body = linkHeader({})
    .attributeText(IFLA.IFNAME, vlan.name)
    .attributeU32(IFLA.LINK, vlan.parentIndex)
    .nest(IFLA.LINKINFO, (info) =>
      info
        .attributeText(IFLA_INFO.KIND, 'vlan')
        .nest(IFLA_INFO.DATA, (data) => data.attribute(1, u16Bytes(vlan.id))),
    )
    .bytes();
  socket.change(RTM.NEWLINK, body, {
    what: `create interface ${vlan.name}`,
    flags: NLM_F_CREATE | NLM_F_EXCL,
  });
}

/** Set how the bridge treats one of its ports: frames may come back by it (`hairpin`); no frames between isolated ones. */
export function setBridgePort(
  socket: NetlinkSocket,
  index: number,
  port: { hairpin: boolean; isolated: boolean },
): void {
  const body = linkHeader({ index, family: AF_BRIDGE })
    .nest(IFLA.PROTINFO | NLA_F_NESTED, (info) =>
      info
        .attribute(IFLA_BRPORT.MODE, Buffer.from([port.hairpin ? 1 : 0]))
        .attribute(IFLA_BRPORT.ISOLATED, Buffer.from([port.isolated ? 1 : 0])),
    )
    .bytes();
  socket.change(RTM.SETLINK, body, { what: `set up bridge port ${index}` });
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

/** Of both families. */
export function listAddresses(socket: NetlinkSocket): (IpPrefix & { index: number })[] {
  const body = addressHeader({ family: 0, index: 0, prefixLength: 0 }).bytes();
  return socket.dump(RTM.GETADDR, body, 'list addresses').flatMap(({ body: answer }) => {
    const attributes = decodeAttributes(answer, 8);
    const address = ipText(attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS));
    if (address === undefined) return [];
    return [{ index: answer.readUInt32LE(4), address, prefixLength: answer.readUInt8(1) }];
  });
}

/** An address that is there already is fine. */
export function addAddress(socket: NetlinkSocket, index: number, prefix: IpPrefix): void {
  const { family, bytes } = ipBytes(prefix.address);
  const writer = addressHeader({ family, index, prefixLength: prefix.prefixLength })
    .attribute(IFA.LOCAL, bytes)
    .attribute(IFA.ADDRESS, bytes);
  if (family === 4) writer.attribute(IFA.BROADCAST, broadcastOf(bytes, prefix.prefixLength));
  try {
    socket.change(RTM.NEWADDR, writer.bytes(), {
      what: `add address ${prefix.address}`,
      flags: NLM_F_CREATE | NLM_F_EXCL,
    });
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== EEXIST) throw error;
  }
}

function broadcastOf(address: Buffer, prefixLength: number): Buffer {
  const hostMask = 2 ** (32 - prefixLength) - 1;
  const broadcast = Buffer.alloc(4);
  broadcast.writeUInt32BE((address.readUInt32BE(0) | hostMask) >>> 0);
  return broadcast;
}

export function removeAddress(socket: NetlinkSocket, index: number, prefix: IpPrefix): void {
  const { family, bytes } = ipBytes(prefix.address);
  const body = addressHeader({ family, index, prefixLength: prefix.prefixLength })
    .attribute(IFA.LOCAL, bytes)
    .bytes();
  socket.change(RTM.DELADDR, body, { what: `remove address ${prefix.address}` });
}

/** By a gateway, or straight out of an interface. */
export type DefaultRoute = { gateway: string } | { family: IpFamily; index: number };

export function addDefaultRoute(socket: NetlinkSocket, route: DefaultRoute): void {
  const through = 'gateway' in route ? route.gateway : `interface ${route.index}`;
  socket.change(RTM.NEWROUTE, defaultRoute(route).bytes(), {
    what: `route through ${through}`,
    flags: NLM_F_CREATE | NLM_F_EXCL,
  });
}

function defaultRoute(route: DefaultRoute): NetlinkWriter {
  const options = { table: ROUTE_TABLE_MAIN, protocol: PROTOCOL_BOOT };
  if ('gateway' in route) {
    const { family, bytes } = ipBytes(route.gateway);
    return routeHeader({ family, ...options }).attribute(RTA.GATEWAY, bytes);
  }
  return routeHeader({ family: route.family, ...options, scope: SCOPE_LINK }).attributeU32(
    RTA.OIF,
    route.index,
  );
}

/** Of the main table, by whatever way it leads. None is fine. */
export function removeDefaultRoute(socket: NetlinkSocket, family: IpFamily): void {
  const body = routeHeader({
    family,
    table: ROUTE_TABLE_MAIN,
    protocol: 0,
    scope: SCOPE_NOWHERE,
    type: 0,
  }).bytes();
  try {
    socket.change(RTM.DELROUTE, body, { what: 'remove the default route' });
  } catch (error) {
    // No such route, or (in a new namespace) not even the table.
    if (!(error instanceof NetlinkError) || ![ESRCH, ENOENT].includes(error.errno)) throw error;
  }
}

/** Destinations of all routes but the default ones, local tables included, with the interface they leave by. */
export function listRoutes(socket: NetlinkSocket): (IpPrefix & { index: number })[] {
  const body = routeHeader({ family: 0, table: 0, protocol: 0 }).bytes();
  return socket.dump(RTM.GETROUTE, body, 'list routes').flatMap(({ body: answer }) => {
    const attributes = decodeAttributes(answer, 12);
    const address = ipText(attributes.get(RTA.DST));
    if (address === undefined) return [];
    const index = attributes.get(RTA.OIF)?.readUInt32LE(0) ?? 0;
    return [{ index, address, prefixLength: answer.readUInt8(1) }];
  });
}

export function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

function u16Bytes(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/** In network order. @throws EngineError "invalid" */
export function ipBytes(text: string): { family: IpFamily; bytes: Buffer } {
  const ip = parseIp(text);
  if (ip === undefined) throw new EngineError('invalid', `invalid IP address: ${text}`);
  const digits = bitsOf(ip.family) / 4;
  return { family: ip.family, bytes: Buffer.from(ip.value.toString(16).padStart(digits, '0'), 'hex') };
}

export function ipText(bytes: Buffer | undefined): string | undefined {
  if (bytes?.length !== 4 && bytes?.length !== 16) return undefined;
  return formatIp({ family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${bytes.toString('hex')}`) });
}

interface LinkHeader {
  family?: number;
  index?: number;
  up?: boolean;
}

function linkHeader(header: LinkHeader): NetlinkWriter {
  return writeLinkHeader(new NetlinkWriter(), header);
}

function writeLinkHeader(
  writer: NetlinkWriter,
  { family = 0, index = 0, up = false }: LinkHeader,
): NetlinkWriter {
  const flags = up ? IFF_UP : 0;
  return writer.u8(family).u8(0).u16(0).u32(index).u32(flags).u32(flags);
}

function addressHeader(header: { family: IpFamily | 0; index: number; prefixLength: number }): NetlinkWriter {
  const flags = header.family === 6 ? IFA_F_NODAD : 0;
  return new NetlinkWriter()
    .u8(familyNumber(header.family))
    .u8(header.prefixLength)
    .u8(flags)
    .u8(0)
    .u32(header.index);
}

interface RouteHeader {
  family: IpFamily | 0;
  table: number;
  protocol: number;
  scope?: number;
  type?: number;
}

function routeHeader({
  family,
  table,
  protocol,
  scope = 0,
  type = TYPE_UNICAST,
}: RouteHeader): NetlinkWriter {
  const writer = new NetlinkWriter().u8(familyNumber(family)).u8(0).u8(0).u8(0);
  return writer.u8(table).u8(protocol).u8(scope).u8(type).u32(0);
}

function familyNumber(family: IpFamily | 0): number {
  if (family === 0) return 0;
  return family === 4 ? AF_INET : AF_INET6;
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
