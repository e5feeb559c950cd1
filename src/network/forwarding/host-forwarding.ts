// Whether the kernel forwards packets, and by which interfaces. Synchronous: for the network's thread.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { type Link, listLinks } from '../../sys/links.ts';
import type { NetlinkSocket } from '../../sys/netlink.ts';

export type Family = 4 | 6;

export interface FamilyForwarding {
  /** As a whole: packets from all interfaces are. */
  on: boolean;
  /** Interfaces whose own switch is on. */
  interfaces: string[];
}

export interface HostForwarding {
  /** Of a family that the kernel hasn't got nothing is on. */
  ipv4: FamilyForwarding;
  ipv6: FamilyForwarding;
  /** Bridges that lead to other machines: real hardware, or what stands for some, is among their ports. */
  uplinks: string[];
}

/** What guests hang on bridges by, and what keeps a bridge up without any. Hardware has no kind; tunnels lead elsewhere, too. */
const GUEST_KINDS: ReadonlySet<string> = new Set(['veth', 'tun', 'dummy']);

export function readForwarding(host: NetlinkSocket): HostForwarding {
  return { ipv4: ofFamily(4), ipv6: ofFamily(6), uplinks: uplinksOf(listLinks(host)) };
}

export function uplinksOf(links: readonly Pick<Link, 'index' | 'name' | 'kind' | 'masterIndex'>[]): string[] {
  return links
    .filter(({ kind }) => kind === 'bridge')
    .filter(({ index }) => links.some((port) => port.masterIndex === index && !GUEST_KINDS.has(port.kind)))
    .map(({ name }) => name);
}

/** For all interfaces, and for those to come. Off: but for these, which had it before. */
export function setForwarding(family: Family, wanted: { on: boolean; except: readonly string[] }): void {
  write(switchOf(family, 'all'), wanted.on ? '1' : '0');
  // It follows the other one, but may have been set apart from it.
  if (wanted.on) write(switchOf(family, 'default'), '1');
  else for (const name of wanted.except) write(switchOf(family, name), '1');
}

function ofFamily(family: Family): FamilyForwarding {
  const names = namesIn(folderOf(family)).filter((name) => isOn(family, name));
  return {
    on: names.includes('all'),
    interfaces: names.filter((name) => name !== 'all' && name !== 'default'),
  };
}

function isOn(family: Family, name: string): boolean {
  try {
    return readFileSync(switchOf(family, name), 'utf8').trim() !== '0';
  } catch (error) {
    // The interface has gone.
    if (errnoCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function write(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (error) {
    // A kernel without IPv6, or an interface that has gone.
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
}

function folderOf(family: Family): string {
  return `/proc/sys/net/ipv${family}/conf`;
}

function switchOf(family: Family, name: string): string {
  return `${folderOf(family)}/${name}/forwarding`;
}
