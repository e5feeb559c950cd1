/** The thread that `WorkerHostNetwork` speaks to: one operation after the other, each synchronous from start to end. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { EngineError, type SerializedError, serializeError } from '../errors/engine-error.ts';
import {
  addAddress,
  addBridge,
  addDefaultRoute,
  addVeth,
  findLink,
  type Ipv4Prefix,
  type Link,
  listAddresses,
  listLinks,
  listRoutes,
  removeAddress,
  removeLink,
  setLinkAlias,
  setLinkMaster,
  setLinkUp,
} from '../sys/links.ts';
import { NetlinkSocket } from '../sys/netlink.ts';
import { isNamespacePinned, NamespaceVisitor, removePinnedNamespace } from '../sys/netns.ts';
import type { AttachRequest, BridgeRequest, HostLink } from './host-network.ts';

export type Operation =
  | { name: 'links' }
  | { name: 'usedSubnets'; exceptLink: string | undefined }
  | { name: 'addressesOf'; link: string }
  | { name: 'ensureBridge'; request: BridgeRequest }
  | { name: 'createNamespace'; path: string }
  | { name: 'removeNamespace'; path: string }
  | { name: 'attach'; request: AttachRequest }
  | { name: 'removeLink'; link: string }
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
const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward';

if (!Bun.isMainThread) serve();

function serve(): void {
  const host = new NetlinkSocket();
  const visitor = new NamespaceVisitor();
  self.addEventListener('message', ({ data }: MessageEvent<Call>) => {
    const answer: Answer = { id: data.id };
    try {
      answer.value = perform(data.operation, host, visitor);
    } catch (error) {
      answer.error = serializeError(error);
    }
    self.postMessage(answer);
  });
}

function perform(operation: Operation, host: NetlinkSocket, visitor: NamespaceVisitor): unknown {
  switch (operation.name) {
    case 'links':
      return listLinks(host).map(({ name, kind, alias }): HostLink => ({ name, kind, alias }));
    case 'usedSubnets':
      return usedSubnets(host, operation.exceptLink);
    case 'addressesOf':
      return addressesOf(host, findLink(host, operation.link));
    case 'ensureBridge':
      return ensureBridge(host, operation.request);
    case 'createNamespace':
      return createNamespace(visitor, operation.path);
    case 'removeNamespace':
      return removePinnedNamespace(operation.path);
    case 'attach':
      return attach(host, visitor, operation.request);
    case 'removeLink':
      return removeLink(host, operation.link);
    case 'close':
      host.close();
      return visitor.close();
  }
}

function usedSubnets(host: NetlinkSocket, exceptLink: string | undefined): Ipv4Prefix[] {
  const except = exceptLink === undefined ? undefined : findLink(host, exceptLink)?.index;
  return [...listAddresses(host), ...listRoutes(host)]
    .filter(({ index }) => index !== except)
    .map(({ address, prefixLength }) => ({ address, prefixLength }));
}

function addressesOf(host: NetlinkSocket, link: Link | undefined): Ipv4Prefix[] {
  return listAddresses(host)
    .filter(({ index }) => index === link?.index)
    .map(({ address, prefixLength }) => ({ address, prefixLength }));
}

function ensureBridge(host: NetlinkSocket, request: BridgeRequest): { forwardingEnabled: boolean } {
  const { index } = findOrAddBridge(host, request);
  for (const present of addressesOf(host, findLink(host, request.name))) {
    const same =
      present.address === request.gateway.address && present.prefixLength === request.gateway.prefixLength;
    if (!same) removeAddress(host, index, present);
  }
  addAddress(host, index, request.gateway);
  setLinkUp(host, index);
  const ports = new Set(request.ports);
  for (const link of ports.size > 0 ? listLinks(host) : []) {
    if (ports.has(link.name) && link.masterIndex !== index) setLinkMaster(host, link.index, index);
  }
  const wasOff = readFileSync(IP_FORWARD, 'utf8').trim() === '0';
  if (wasOff) writeFileSync(IP_FORWARD, '1');
  return { forwardingEnabled: wasOff };
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

function createNamespace(visitor: NamespaceVisitor, path: string): void {
  if (isNamespacePinned(path)) return;
  const inside = visitor.create(path, () => new NetlinkSocket());
  try {
    setLinkUp(inside, LOOPBACK_INDEX);
  } finally {
    inside.close();
  }
}

function attach(host: NetlinkSocket, visitor: NamespaceVisitor, request: AttachRequest): void {
  const bridge = findLink(host, request.bridgeName);
  if (bridge?.alias !== request.owner) {
    throw new EngineError('unavailable', `Cannot find bridge ${request.bridgeName}`);
  }
  const namespaceFd = openSync(request.namespacePath, 'r');
  try {
    addVeth(host, {
      hostName: request.hostInterfaceName,
      bridgeIndex: bridge.index,
      peerName: request.interfaceName,
      peerMacAddress: request.macAddress,
      namespaceFd,
      mtu: request.mtu,
    });
    try {
      configureInside(visitor, request);
    } catch (error) {
      removeLink(host, request.hostInterfaceName);
      throw error;
    }
  } finally {
    closeSync(namespaceFd);
  }
}

function configureInside(visitor: NamespaceVisitor, request: AttachRequest): void {
  const inside = visitor.visit(request.namespacePath, () => {
    disableIpv6(request.interfaceName);
    return new NetlinkSocket();
  });
  try {
    const link = findLink(inside, request.interfaceName);
    if (link === undefined) throw new EngineError('internal', `Cannot find ${request.interfaceName}`);
    addAddress(inside, link.index, request.address);
    setLinkUp(inside, link.index);
    addDefaultRoute(inside, request.gateway);
  } finally {
    inside.close();
  }
}

/** As Docker does where the network has no IPv6; a kernel without it has no such file. */
function disableIpv6(interfaceName: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${interfaceName}/disable_ipv6`, '1');
  } catch {
    return;
  }
}
