import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** `host` and `port` of `127.0.0.1:5000`, `[::1]:5000` or `example.com`; brackets are dropped. */
export function splitHost(authority: string): { host: string; port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(authority);
  if (bracketed) return { host: bracketed[1] ?? '', port: bracketed[2] };
  const colon = authority.lastIndexOf(':');
  if (colon < 0 || authority.indexOf(':') !== colon) return { host: authority, port: undefined };
  return { host: authority.slice(0, colon), port: authority.slice(colon + 1) };
}

/** 127.0.0.0/8, ::1 and `localhost`. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Whether a host with or without port is named by one of the `insecure-registries`: a host, a `host:port` or a CIDR. */
export function isInsecureHost(authority: string, entries: readonly string[]): boolean {
  const { host } = splitHost(authority);
  if (isLoopback(host)) return true;
  return entries.some(
    (entry) => entry.toLowerCase() === authority.toLowerCase() || entry === host || inNetwork(host, entry),
  );
}

const LOOKUP_MS = 1000;
const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** Whether a host name stands for insecure addresses, as dockerd finds out. A name that can't be resolved within a second is secure. */
export async function resolvesToInsecure(authority: string, entries: readonly string[]): Promise<boolean> {
  const { host } = splitHost(authority);
  if (isIP(host) !== 0) return false;
  const { promise: late, resolve } = Promise.withResolvers<{ address: string }[]>();
  const timer = setTimeout(() => resolve([]), LOOKUP_MS);
  const found = await Promise.race([lookup(host, { all: true }).catch(() => []), late]);
  clearTimeout(timer);
  return areInsecure(
    found.map(({ address }) => address),
    entries,
  );
}

/**
 * Whether a name's addresses are all of loopback, or of the networks among the `insecure-registries`. For dockerd one of them is enough: whoever can add
 * an address to a name's answer takes its TLS away then.
 */
export function areInsecure(addresses: readonly string[], entries: readonly string[]): boolean {
  const networks = [...LOOPBACK, ...entries.filter((entry) => entry.includes('/'))];
  const isInsecure = (address: string) => networks.some((network) => inNetwork(address, network));
  return addresses.length > 0 && addresses.every(isInsecure);
}

/**
 * Whether `no_proxy` exempts this host: `*`, a domain with its subdomains, `host:port`, an address or a CIDR.
 * Loopback never goes through a proxy, as in Go.
 */
export function bypassesProxy(url: URL, noProxy: string | undefined): boolean {
  const { host } = splitHost(url.host.toLowerCase());
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (isLoopback(host)) return true;
  const entries = (noProxy ?? '').toLowerCase().split(',');
  return entries.some((entry) => bypassEntry({ host, port, entry: entry.trim() }));
}

function bypassEntry(question: { host: string; port: string; entry: string }): boolean {
  const { host, port, entry } = question;
  if (entry === '') return false;
  if (entry === '*') return true;
  if (entry.includes('/')) return inNetwork(host, entry);
  const wanted = splitHost(entry);
  if (wanted.port !== undefined && wanted.port !== port) return false;
  const suffix = wanted.host.replace(/^\*?\./, '');
  const exact = host === suffix && !/^\*?\./.test(wanted.host);
  return exact || host.endsWith(`.${suffix}`);
}

function inNetwork(host: string, cidr: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
