/** The thread that `WorkerHostNetwork` speaks to: one operation after the other, each synchronous from start to end. */
import { closeSync } from 'node:fs';
import { type SerializedError, serializeError } from '../errors/engine-error.ts';
import {
  findLink,
  type IpPrefix,
  listAddresses,
  listLinks,
  listRoutes,
  removeLink,
  setLinkUp,
} from '../sys/links.ts';
import { NetlinkSocket } from '../sys/netlink.ts';
import { isNamespacePinned, NamespaceVisitor, pinNamespace, removePinnedNamespace } from '../sys/netns.ts';
import { runNft } from '../sys/nft.ts';
import { rulesGeneration } from '../sys/nft-generation.ts';
import { attach, insideOf, removeLinkInside, setWays } from './container-links.ts';
import { forgetStaleFlows } from './forget-stale-flows.ts';
import { type Family, readForwarding, setForwarding } from './forwarding/host-forwarding.ts';
import { addressesOf, ensureBridge, ensureParent } from './host-links.ts';
import type {
  AttachRequest,
  BridgeRequest,
  DefaultWays,
  HostLink,
  ParentRequest,
  StaleFlows,
} from './host-network.ts';
import { redirectRules } from './names/redirect-rules.ts';
import { NamespaceReserve } from './namespace-reserve.ts';

export type Operation =
  | { name: 'links' }
  | { name: 'usedSubnets'; exceptLink: string | undefined }
  | { name: 'addressesOf'; link: string }
  | { name: 'ensureBridge'; request: BridgeRequest }
  | { name: 'ensureParent'; request: ParentRequest }
  | { name: 'createNamespace'; path: string; userNamespace: number | undefined }
  | { name: 'removeNamespace'; path: string }
  | { name: 'attach'; request: AttachRequest }
  | { name: 'setWays'; path: string; ways: DefaultWays }
  | { name: 'removeLink'; link: string }
  | { name: 'removeLinkInside'; path: string; link: string }
  | { name: 'redirectNames'; path: string; ports: { udp: number; tcp: number } }
  | { name: 'forwarding' }
  | { name: 'setForwarding'; family: Family; wanted: { on: boolean; except: readonly string[] } }
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

if (!Bun.isMainThread) serve();

function serve(): void {
  const host = new NetlinkSocket();
  const visitor = new NamespaceVisitor();
  const reserves = new Reserves(visitor);
  self.addEventListener('message', ({ data }: MessageEvent<Call>) => {
    const answer: Answer = { id: data.id };
    try {
      answer.value = perform(data.operation, { host, visitor, reserves });
    } catch (error) {
      answer.error = serializeError(error);
    }
    self.postMessage(answer);
    // The thread that removes has no use for one.
    if (!REMOVALS.has(data.operation.name)) reserves.worked();
  });
}

interface Tools {
  host: NetlinkSocket;
  visitor: NamespaceVisitor;
  reserves: Reserves;
}

/** One for each user namespace that namespaces are to belong to, by its descriptor; undefined is ours. */
class Reserves {
  readonly #visitor: NamespaceVisitor;
  readonly #all = new Map<number | undefined, NamespaceReserve>();

  constructor(visitor: NamespaceVisitor) {
    this.#visitor = visitor;
    this.of(undefined);
  }

  of(userNamespace: number | undefined): NamespaceReserve {
    const known = this.#all.get(userNamespace);
    if (known !== undefined) return known;
    const made = new NamespaceReserve({ make: () => blankNamespace(this.#visitor, userNamespace) });
    this.#all.set(userNamespace, made);
    return made;
  }

  worked(): void {
    for (const reserve of this.#all.values()) reserve.worked();
  }

  close(): void {
    for (const reserve of this.#all.values()) reserve.close();
  }
}

function perform(operation: Operation, { host, visitor, reserves }: Tools): unknown {
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
      return createNamespace(reserves.of(operation.userNamespace), operation.path);
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
    case 'forwarding':
      return readForwarding(host);
    case 'setForwarding':
      return setForwarding(operation.family, operation.wanted);
    case 'forgetFlows':
      return forgetStaleFlows(host, operation.flows);
    case 'rulesGeneration':
      return rulesGeneration();
    case 'nft':
      return runNft(operation.commands);
    case 'close':
      host.close();
      reserves.close();
      return visitor.close();
  }
}

function usedSubnets(host: NetlinkSocket, exceptLink: string | undefined): IpPrefix[] {
  const except = exceptLink === undefined ? undefined : findLink(host, exceptLink)?.index;
  return [...listAddresses(host), ...listRoutes(host)]
    .filter(({ index }) => index !== except)
    .map(({ address, prefixLength }) => ({ address, prefixLength }));
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
function blankNamespace(visitor: NamespaceVisitor, userNamespace: number | undefined): number {
  const prepare = (): void => {
    const inside = new NetlinkSocket();
    try {
      setLinkUp(inside, LOOPBACK_INDEX);
    } finally {
      inside.close();
    }
  };
  return userNamespace === undefined ? visitor.create(prepare) : visitor.createOwned(userNamespace, prepare);
}
