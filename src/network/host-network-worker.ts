/** The thread that `WorkerHostNetwork` speaks to: one operation after the other, each synchronous from start to end. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { EngineError, errnoCodeOf, type SerializedError, serializeError } from '../errors/engine-error.ts';
import {
  addAddress,
  addBridge,
  addDefaultRoute,
  addDummy,
  addSubLink,
  addVeth,
  addVlan,
  findLink,
  type IpPrefix,
  isUnsupported,
  type Link,
  listAddresses,
  listLinks,
  listRoutes,
  removeAddress,
  removeDefaultRoute,
  removeLink,
  type SubLinkKind,
  setBridgePort,
  setLinkAlias,
  setLinkMaster,
  setLinkUp,
} from '../sys/links.ts';
import { NetlinkSocket } from '../sys/netlink.ts';
import { isNamespacePinned, NamespaceVisitor, pinNamespace, removePinnedNamespace } from '../sys/netns.ts';
import { runNft } from '../sys/nft.ts';
import { rulesGeneration } from '../sys/nft-generation.ts';
import { forgetStaleFlows } from './forget-stale-flows.ts';
import type {
  Attachment,
  AttachRequest,
  BridgeRequest,
  DefaultWays,
  HostLink,
  ParentRequest,
  StaleFlows,
  Trunk,
} from './host-network.ts';
import { redirectRules } from './names/redirect-rules.ts';
import { NamespaceReserve } from './namespace-reserve.ts';

export type Operation =
  | { name: 'links' }
  | { name: 'usedSubnets'; exceptLink: string | undefined }
  | { name: 'addressesOf'; link: string }
  | { name: 'ensureBridge'; request: BridgeRequest }
  | { name: 'ensureParent'; request: ParentRequest }
  | { name: 'createNamespace'; path: string }
  | { name: 'removeNamespace'; path: string }
  | { name: 'attach'; request: AttachRequest }
  | { name: 'setWays'; path: string; ways: DefaultWays }
  | { name: 'removeLink'; link: string }
  | { name: 'removeLinkInside'; path: string; link: string }
  | { name: 'redirectNames'; path: string; ports: { udp: number; tcp: number } }
  | { name: 'forgetFlows'; flows: readonly StaleFlows[] }
  | { name: 'rulesGeneration' }
  | { name: 'nft'; commands: string }
  | { name: 'close' };

export interface Call {
  id: number;
  operation: Operation;
}

export interface Answer {
  id: number;
  value?: unknown;
  error?: SerializedError;
}

declare const self: Worker;

const LOOPBACK_INDEX = 1;
const REMOVALS: ReadonlySet<Operation['name']> = new Set(['removeLink', 'removeLinkInside', 'close']);
const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward';
const IPV6_FORWARD = '/proc/sys/net/ipv6/conf/all/forwarding';

if (!Bun.isMainThread) serve();

function serve(): void {
  const host = new NetlinkSocket();
  const visitor = new NamespaceVisitor();
  const reserve = new NamespaceReserve({ make: () => blankNamespace(visitor) });
  self.addEventListener('message', ({ data }: MessageEvent<Call>) => {
    const answer: Answer = { id: data.id };
    try {
      answer.value = perform(data.operation, { host, visitor, reserve });
    } catch (error) {
      answer.error = serializeError(error);
    }
    self.postMessage(answer);
    // The thread that removes has no use for one.
    if (!REMOVALS.has(data.operation.name)) reserve.worked();
  });
}

interface Tools {
  host: NetlinkSocket;
  visitor: NamespaceVisitor;
  reserve: NamespaceReserve;
}

function perform(operation: Operation, { host, visitor, reserve }: Tools): unknown {
  switch (operation.name) {
    case 'links':
      return listLinks(host).map(({ name, kind, alias }): HostLink => ({ name, kind, alias }));
    case 'usedSubnets':
      return usedSubnets(host, operation.exceptLink);
    case 'addressesOf':
      return addressesOf(host, findLink(host, operation.link));
    case 'ensureBridge':
      return ensureBridge(host, operation.request);
    case 'ensureParent':
      return ensureParent(host, operation.request);
    case 'createNamespace':
      return createNamespace(reserve, operation.path);
    case 'removeNamespace':
      return removePinnedNamespace(operation.path);
    case 'attach':
      return attach(host, visitor, operation.request);
    case 'setWays':
      return insideOf(visitor, operation.path, (inside) => setWays(inside, operation.ways));
    case 'removeLink':
      return removeLink(host, operation.link);
    case 'removeLinkInside':
      return removeLinkInside(visitor, operation.path, operation.link);
    case 'redirectNames':
      return visitor.visit(operation.path, () => runNft(redirectRules(operation.ports)));
    case 'forgetFlows':
      return forgetStaleFlows(host, operation.flows);
    case 'rulesGeneration':
      return rulesGeneration();
    case 'nft':
      return runNft(operation.commands);
    case 'close':
      host.close();
      reserve.close();
      return visitor.close();
  }
}

function insideOf<T>(visitor: NamespaceVisitor, path: string, work: (inside: NetlinkSocket) => T): T {
  const inside = visitor.visit(path, () => new NetlinkSocket());
  try {
    return work(inside);
  } finally {
    inside.close();
  }
}

function removeLinkInside(visitor: NamespaceVisitor, path: string, name: string): void {
  if (isNamespacePinned(path)) insideOf(visitor, path, (inside) => removeLink(inside, name));
}

function usedSubnets(host: NetlinkSocket, exceptLink: string | undefined): IpPrefix[] {
  const except = exceptLink === undefined ? undefined : findLink(host, exceptLink)?.index;
  return [...listAddresses(host), ...listRoutes(host)]
    .filter(({ index }) => index !== except)
    .map(({ address, prefixLength }) => ({ address, prefixLength }));
}

function addressesOf(host: NetlinkSocket, link: Link | undefined): IpPrefix[] {
  return listAddresses(host)
    .filter(({ index }) => index === link?.index)
    .map(({ address, prefixLength }) => ({ address, prefixLength }));
}

function ensureBridge(host: NetlinkSocket, request: BridgeRequest): { forwardingEnabled: boolean } {
  const { index } = findOrAddBridge(host, request);
  const hasIpv6 = request.addresses.some(({ address }) => address.includes(':'));
  setSwitch(`/proc/sys/net/ipv6/conf/${request.name}/disable_ipv6`, hasIpv6 ? '0' : '1');
  setSwitch(`/proc/sys/net/ipv6/conf/${request.name}/accept_ra`, '0');
  // Nobody else has an address of ours, and until that is looked into the host asks for no neighbour: a second or two.
  setSwitch(`/proc/sys/net/ipv6/conf/${request.name}/accept_dad`, '0');
  // For ports that are published on 127.0.0.1; what comes from outside with such an address is dropped.
  setSwitch(`/proc/sys/net/ipv4/conf/${request.name}/route_localnet`, '1');
  const wanted = new Set(request.addresses.map(textOf));
  for (const present of addressesOf(host, findLink(host, request.name))) {
    if (wanted.has(textOf(present)) || present.address.startsWith('fe80:')) continue;
    removeAddress(host, index, present);
  }
  for (const address of request.addresses) addAddress(host, index, address);
  setLinkUp(host, index);
  const ports = new Set(request.ports);
  for (const link of ports.size > 0 ? listLinks(host) : []) {
    if (!ports.has(link.name)) continue;
    if (link.masterIndex !== index) setLinkMaster(host, link.index, index);
    if (request.isolated) setBridgePort(host, link.index, { hairpin: false, isolated: true });
  }
  if (request.trunk !== undefined) ensureTrunk(host, request.trunk, { ...request, index });
  const wasOff = turnOn(IP_FORWARD);
  return { forwardingEnabled: (hasIpv6 && turnOn(IPV6_FORWARD)) || wasOff };
}

function textOf({ address, prefixLength }: IpPrefix): string {
  return `${address}/${prefixLength}`;
}

/** @returns whether it was off. */
function turnOn(path: string): boolean {
  if (readFileSync(path, 'utf8').trim() !== '0') return false;
  writeFileSync(path, '1');
  return true;
}

/** A kernel without IPv6 has no such file. */
function setSwitch(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
}

function ensureParent(host: NetlinkSocket, { name, owner, make }: ParentRequest): void {
  const present = findLink(host, name);
  if (present !== undefined) return setLinkUp(host, present.index);
  if (make === undefined)
    throw new EngineError('invalid', `invalid subinterface vlan name ${name}, example formatting is eth0.10`);
  if (make === 'dummy') supported('dummy', () => addDummy(host, name));
  else {
    const parent = findLink(host, make.vlan.parent);
    if (parent === undefined)
      throw new EngineError(
        'invalid',
        `failed to find master interface ${make.vlan.parent} on the Docker host`,
      );
    supported('vlan', () => addVlan(host, { name, parentIndex: parent.index, id: make.vlan.id }));
  }
  const made = findLink(host, name);
  if (made === undefined) throw new EngineError('internal', `Cannot find interface ${name} once made`);
  setLinkAlias(host, made.index, owner);
  setLinkUp(host, made.index);
}

/** @throws EngineError "invalid" where the kernel knows no such interfaces. */
function supported(kind: string, add: () => void): void {
  try {
    add();
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    throw new EngineError('invalid', `Cannot make an interface of kind ${kind}: this kernel supports none`, {
      hint: `Load its module (modprobe ${kind}), or use a network of another kind.`,
      cause: error,
    });
  }
}

function findOrAddBridge(host: NetlinkSocket, request: BridgeRequest): Link {
  const present = findLink(host, request.name);
  if (present?.alias === request.owner && present.kind === 'bridge') return present;
  if (present !== undefined && !isBlankBridge(host, present)) {
    throw new EngineError(
      'conflict',
      `Cannot use the name "${request.name}" for the bridge: another interface has it`,
      { hint: 'Give this daemon another bridge name, or remove that interface.' },
    );
  }
  if (present === undefined) {
    addBridge(host, { name: request.name, macAddress: request.macAddress, mtu: request.mtu });
  }
  const made = present ?? findLink(host, request.name);
  if (made === undefined) throw new EngineError('internal', `Cannot find bridge ${request.name} once made`);
  setLinkAlias(host, made.index, request.owner);
  return made;
}

/** Left by a crash between making and marking it, or made for us: unmarked, without address or port. */
function isBlankBridge(host: NetlinkSocket, link: Link): boolean {
  if (link.kind !== 'bridge' || link.alias !== '' || addressesOf(host, link).length > 0) return false;
  return !listLinks(host).some(({ masterIndex }) => masterIndex === link.index);
}

/** @returns whether one was ready. */
function createNamespace(reserve: NamespaceReserve, path: string): boolean {
  if (isNamespacePinned(path)) return true;
  const { fd, wasReady } = reserve.take();
  try {
    pinNamespace(fd, path);
    return wasReady;
  } finally {
    closeSync(fd);
  }
}

/** As every container's is before anything is put into it. */
function blankNamespace(visitor: NamespaceVisitor): number {
  return visitor.create(() => {
    const inside = new NetlinkSocket();
    try {
      setLinkUp(inside, LOOPBACK_INDEX);
    } finally {
      inside.close();
    }
  });
}

function attach(host: NetlinkSocket, visitor: NamespaceVisitor, request: AttachRequest): string {
  const { to } = request;
  const namespaceFd = openSync(request.namespacePath, 'r');
  try {
    addInterface(host, namespaceFd, request);
    try {
      if (to.kind === 'bridge' && to.isolated) isolate(host, to.hostInterfaceName);
      return configureInside(visitor, request);
    } catch (error) {
      if (to.kind === 'bridge') removeLink(host, to.hostInterfaceName);
      else removeLinkInside(visitor, request.namespacePath, request.interfaceName);
      throw error;
    }
  } finally {
    closeSync(namespaceFd);
  }
}

function addInterface(host: NetlinkSocket, namespaceFd: number, request: AttachRequest): void {
  const { to, interfaceName, macAddress, mtu } = request;
  const lower = lowerLink(host, to);
  if (to.kind === 'bridge') {
    addVeth(host, {
      hostName: to.hostInterfaceName,
      bridgeIndex: lower.index,
      peer: { name: interfaceName, macAddress, namespaceFd },
      mtu,
    });
    return disableIpv6(to.hostInterfaceName);
  }
  const parent =
    to.kind === 'trunk' ? ensureTrunk(host, to.trunk, { ...to, index: lower.index, mtu }) : lower;
  const type = to.kind === 'trunk' ? trunkType(to.isolated) : to.type;
  supported(type.kind, () =>
    addSubLink(host, { name: interfaceName, parentIndex: parent.index, type, macAddress, namespaceFd, mtu }),
  );
}

/** Those that may not speak to each other don't by the trunk either. */
function trunkType(isolated: boolean): SubLinkKind {
  return { kind: 'macvlan', mode: isolated ? 'private' : 'bridge' };
}

function lowerLink(host: NetlinkSocket, to: Attachment): Link {
  const name = to.kind === 'parent' ? to.parent : to.bridgeName;
  const link = findLink(host, name);
  if (link === undefined || (to.kind !== 'parent' && link.alias !== to.owner))
    throw new EngineError('unavailable', `Cannot find ${to.kind === 'parent' ? 'parent' : 'bridge'} ${name}`);
  return link;
}

/** @returns its end that interfaces stand on. */
function ensureTrunk(
  host: NetlinkSocket,
  trunk: Trunk,
  bridge: { index: number; isolated: boolean; mtu: number },
): Link {
  const present = findLink(host, trunk.parent);
  if (present === undefined)
    addVeth(host, {
      hostName: trunk.port,
      bridgeIndex: bridge.index,
      peer: { name: trunk.parent, macAddress: undefined, namespaceFd: undefined },
      mtu: bridge.mtu,
    });
  const [port, parent] = [findLink(host, trunk.port), findLink(host, trunk.parent)];
  if (port?.kind !== 'veth' || parent?.kind !== 'veth' || ![trunk.owner, ''].includes(port.alias))
    throw new EngineError('conflict', `Cannot use the name "${trunk.parent}": another interface has it`);
  if (port.masterIndex === bridge.index && parent.alias === trunk.owner) return parent;
  if (port.masterIndex !== bridge.index) setLinkMaster(host, port.index, bridge.index);
  for (const name of [trunk.port, trunk.parent]) disableIpv6(name);
  // With br_netfilter, what is published goes back by the port that it came from. Interfaces of macvlan pass over what they have sent.
  setBridgePort(host, port.index, { hairpin: true, isolated: bridge.isolated });
  for (const { index } of [port, parent]) {
    setLinkUp(host, index);
    setLinkAlias(host, index, trunk.owner);
  }
  return parent;
}

function isolate(host: NetlinkSocket, name: string): void {
  const link = findLink(host, name);
  if (link === undefined) throw new EngineError('internal', `Cannot find ${name}`);
  setBridgePort(host, link.index, { hairpin: false, isolated: true });
}

function configureInside(visitor: NamespaceVisitor, request: AttachRequest): string {
  const { namespacePath, interfaceName, addresses, ways } = request;
  const inside = visitor.visit(namespacePath, () => {
    const hasIpv6 = addresses.some(({ address }) => address.includes(':'));
    const switches = `/proc/sys/net/ipv6/conf/${interfaceName}`;
    setSwitch(`${switches}/disable_ipv6`, hasIpv6 ? '0' : '1');
    if (hasIpv6) setSwitch(`${switches}/accept_ra`, '0');
    return new NetlinkSocket();
  });
  try {
    const link = findLink(inside, interfaceName);
    if (link === undefined) throw new EngineError('internal', `Cannot find ${interfaceName}`);
    for (const address of addresses) addAddress(inside, link.index, address);
    setLinkUp(inside, link.index);
    setWays(inside, ways);
    return link.macAddress;
  } finally {
    inside.close();
  }
}

function setWays(inside: NetlinkSocket, ways: DefaultWays): void {
  for (const [family, way] of [
    [4, ways.ipv4],
    [6, ways.ipv6],
  ] as const) {
    removeDefaultRoute(inside, family);
    if (way === undefined) continue;
    if (way.gateway !== undefined) addDefaultRoute(inside, { gateway: way.gateway });
    else {
      const link = findLink(inside, way.interfaceName);
      if (link !== undefined) addDefaultRoute(inside, { family, index: link.index });
    }
  }
}

/** The host's end needs no address of its own. */
function disableIpv6(interfaceName: string): void {
  setSwitch(`/proc/sys/net/ipv6/conf/${interfaceName}/disable_ipv6`, '1');
}
