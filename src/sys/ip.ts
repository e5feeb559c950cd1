import { EngineError } from '../errors/engine-error.ts';

export type IpFamily = 4 | 6;

/** An address, or a network by one of its addresses: `base` as a number of 32 or 128 bits. */
export interface Cidr {
  family: IpFamily;
  base: bigint;
  prefixLength: number;
}

export interface IpAddress {
  family: IpFamily;
  value: bigint;
}

/** Dotted decimal, strictly (no leading zeros), or IPv6 without a zone. Undefined otherwise. */
export function parseIp(text: string): IpAddress | undefined {
  const value = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  return value === undefined ? undefined : { family: text.includes(':') ? 6 : 4, value };
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256n + BigInt(part);
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')).flatMap(groupsOf));
  const [head = [], tail] = groups;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  for (const group of [
    ...head,
    ...Array<string>(tail === undefined ? 0 : missing).fill('0'),
    ...(tail ?? []),
  ]) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    value = (value << 16n) | BigInt(`0x${group}`);
  }
  return value;
}

/** One, or the two of an IPv4 address in it (`::ffff:10.0.0.1`). */
function groupsOf(group: string): string[] {
  const ipv4 = group.includes('.') ? parseIpv4(group) : undefined;
  return ipv4 === undefined ? [group] : [(ipv4 >> 16n).toString(16), (ipv4 & 0xffffn).toString(16)];
}

/** IPv6 as RFC 5952 has it: lower case, the longest run of zeros left out. */
export function formatIp({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => (value >> BigInt(112 - 16 * at)) & 0xffffn);
  const text = groups.map((group) => group.toString(16));
  const run = longestRunOfZeros(groups);
  if (run.length < 2) return text.join(':');
  return `${text.slice(0, run.start).join(':')}::${text.slice(run.start + run.length).join(':')}`;
}

function longestRunOfZeros(groups: readonly bigint[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [at, group] of groups.entries()) {
    length = group === 0n ? length + 1 : 0;
    if (length > best.length) best = { start: at - length + 1, length };
  }
  return best;
}

/** `address/n`, the address kept as it is; undefined when it is none. */
export function readCidr(text: string): Cidr | undefined {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const ip = parseIp(address);
  if (ip === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(prefix)) return undefined;
  const prefixLength = Number(prefix);
  return prefixLength > bitsOf(ip.family) ? undefined : { family: ip.family, base: ip.value, prefixLength };
}

/** As `readCidr`. @throws EngineError "invalid" */
export function parseCidr(text: string): Cidr {
  const cidr = readCidr(text);
  if (cidr === undefined) throw new EngineError('invalid', `invalid CIDR address: ${text}`);
  return cidr;
}

export function bitsOf(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

export function sizeOf({ family, prefixLength }: Pick<Cidr, 'family' | 'prefixLength'>): bigint {
  return 1n << BigInt(bitsOf(family) - prefixLength);
}

export function networkOf(cidr: Cidr): Cidr {
  return { ...cidr, base: cidr.base - (cidr.base % sizeOf(cidr)) };
}

export function formatCidr({ family, base, prefixLength }: Cidr): string {
  return `${formatIp({ family, value: base })}/${prefixLength}`;
}

export function contains(network: Cidr, { family, value }: IpAddress): boolean {
  const { base } = networkOf(network);
  return family === network.family && value >= base && value < base + sizeOf(network);
}

export function overlaps(one: Cidr, other: Cidr): boolean {
  const first = (cidr: Cidr): IpAddress => ({ family: cidr.family, value: networkOf(cidr).base });
  return contains(one, first(other)) || contains(other, first(one));
}

/** The address as `formatIp` writes it, so that two spellings are one. Undefined when it is none. */
export function canonicalIp(text: string): string | undefined {
  const ip = parseIp(text);
  return ip === undefined ? undefined : formatIp(ip);
}
