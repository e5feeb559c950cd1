// What networks stand on, on the host itself: bridges, trunks, parents. Synchronous: for the network's thread.
import { writeFileSync } from 'node:fs';
import { EngineError, errnoCodeOf } from '../errors/engine-error.ts';
import {
  addAddress,
  addBridge,
  addDummy,
  addVeth,
  addVlan,
  findLink,
  type IpPrefix,
  isUnsupported,
  type Link,
  listAddresses,
  listLinks,
  removeAddress,
  setBridgePort,
  setLinkAlias,
  setLinkMaster,
  setLinkUp,
} from '../sys/links.ts';
import type { NetlinkSocket } from '../sys/netlink.ts';
import type { BridgeRequest, ParentRequest, Trunk } from './host-network.ts';

export function addressesOf(host: NetlinkSocket, link: Link | undefined): IpPrefix[] {
  return listAddresses(host)
    .filter(({ index }) => index === link?.index)
    .map(({ address, prefixLength }) => ({ address, prefixLength }));
}

export function ensureBridge(host: NetlinkSocket, request: BridgeRequest): void {
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
}

function textOf({ address, prefixLength }: IpPrefix): string {
  return `${address}/${prefixLength}`;
}

/** A kernel without IPv6 has no such file. */
export function setSwitch(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
}

export function ensureParent(host: NetlinkSocket, { name, owner, make }: ParentRequest): void {
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
export function supported(kind: string, add: () => void): void {
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

/** @returns its end that interfaces stand on. */
export function ensureTrunk(
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

/** The host's end needs no address of its own. */
export function disableIpv6(interfaceName: string): void {
  setSwitch(`/proc/sys/net/ipv6/conf/${interfaceName}/disable_ipv6`, '1');
}
