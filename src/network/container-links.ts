// Interfaces in containers' namespaces, and the ends of them that the host has. Synchronous: for the network's thread.
import { closeSync, lstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';
import { errnoName } from '../sys/errno.ts';

import {
  addAddress,
  addDefaultRoute,
  addSubLink,
  addVeth,
  findLink,
  type Link,
  removeDefaultRoute,
  removeLink,
  type SubLinkKind,
  setBridgePort,
  setLinkUp,
} from '../sys/links.ts';
import { NetlinkError, NetlinkSocket } from '../sys/netlink.ts';
import { isNamespacePinned, type NamespaceVisitor } from '../sys/netns.ts';
import { type InterfaceSysctl, renameFault } from './endpoint-options.ts';
import { disableIpv6, ensureTrunk, setSwitch, supported } from './host-links.ts';
import type { Attachment, AttachRequest, DefaultWays } from './host-network.ts';

export function insideOf<T>(visitor: NamespaceVisitor, path: string, work: (inside: NetlinkSocket) => T): T {
  const inside = visitor.visit(path, () => new NetlinkSocket());
  try {
    return work(inside);
  } finally {
    inside.close();
  }
}

export function removeLinkInside(visitor: NamespaceVisitor, path: string, name: string): void {
  if (isNamespacePinned(path)) insideOf(visitor, path, (inside) => removeLink(inside, name));
}

export function attach(host: NetlinkSocket, visitor: NamespaceVisitor, request: AttachRequest): string {
  const { to } = request;
  const namespaceFd = openSync(request.namespacePath, 'r');
  try {
    addNamed(host, namespaceFd, request);
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

/** @throws EngineError "internal" in Docker's words where the container has such an interface, or the address is none of one. */
function addNamed(host: NetlinkSocket, namespaceFd: number, request: AttachRequest): void {
  try {
    addInterface(host, namespaceFd, request);
  } catch (error) {
    const code = error instanceof NetlinkError ? errnoName(error.errno) : '';
    const madeAs = request.to.kind === 'bridge' ? request.to.hostInterfaceName : request.interfaceName;
    const { interfaceName, macAddress } = request;
    if (code === 'EEXIST')
      throw new EngineError('internal', renameFault(interfaceName, { madeAs, fault: 'file exists' }), {
        cause: error,
      });
    if (code !== 'EADDRNOTAVAIL' || macAddress === undefined) throw error;
    throw new EngineError(
      'internal',
      `failed to add interface ${madeAs} to sandbox: error setting interface "${madeAs}" MAC to "${macAddress}": cannot assign requested address`,
      { cause: error },
    );
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

function isolate(host: NetlinkSocket, name: string): void {
  const link = findLink(host, name);
  if (link === undefined) throw new EngineError('internal', `Cannot find ${name}`);
  setBridgePort(host, link.index, { hairpin: false, isolated: true });
}

function configureInside(visitor: NamespaceVisitor, request: AttachRequest): string {
  const { namespacePath, interfaceName, addresses, sysctls, ways, to } = request;
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
    const madeAs = to.kind === 'bridge' ? to.hostInterfaceName : interfaceName;
    if (sysctls.length > 0)
      visitor.visit(namespacePath, () => setSysctls(interfaceName, { sysctls, madeAs }));
    setLinkUp(inside, link.index);
    setWays(inside, ways);
    return link.macAddress;
  } finally {
    inside.close();
  }
}

/** @throws EngineError "internal" in Docker's words. */
function setSysctls(
  interfaceName: string,
  { sysctls, madeAs }: { sysctls: readonly InterfaceSysctl[]; madeAs: string },
): void {
  const fail = (words: string): never => {
    throw new EngineError('internal', `failed to add interface ${madeAs} to sandbox: ${words}`);
  };
  for (const { folder, file, value } of sysctls) {
    const path = `${folder}/${interfaceName}/${file}`;
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) fail(`${path} is not a sysctl file`);
    try {
      if (readFileSync(path, 'utf8').trim() !== value) writeFileSync(path, value);
    } catch (error) {
      const reason = errnoCodeOf(error) === 'EINVAL' ? 'invalid argument' : messageOf(error);
      fail(`unable to write to '${path}': write ${path}: ${reason}`);
    }
  }
}

export function setWays(inside: NetlinkSocket, ways: DefaultWays): void {
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
