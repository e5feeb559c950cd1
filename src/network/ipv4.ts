import { EngineError } from '../errors/engine-error.ts';

/** A network (or an address in it): `base` as a 32-bit number. */
export interface Cidr {
  base: number;
  prefixLength: number;
}

/** Dotted decimal, strictly: four numbers, no leading zeros. Undefined otherwise. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** `a.b.c.d/n`, the address kept as it is. @throws EngineError "invalid" */
export function parseCidr(text: string): Cidr {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const base = parseIpv4(address);
  if (base === undefined || rest.length > 0 || !/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) {
    throw new EngineError('invalid', `invalid CIDR address: ${text}`);
  }
  return { base, prefixLength: Number(prefix) };
}

export function sizeOf(prefixLength: number): number {
  return 2 ** (32 - prefixLength);
}

export function networkOf({ base, prefixLength }: Cidr): Cidr {
  return { base: base - (base % sizeOf(prefixLength)), prefixLength };
}

export function formatCidr({ base, prefixLength }: Cidr): string {
  return `${formatIpv4(base)}/${prefixLength}`;
}

export function contains(network: Cidr, address: number): boolean {
  const { base } = networkOf(network);
  return address >= base && address < base + sizeOf(network.prefixLength);
}

export function overlaps(one: Cidr, other: Cidr): boolean {
  return contains(one, networkOf(other).base) || contains(other, networkOf(one).base);
}
