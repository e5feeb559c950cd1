import { type Cidr, contains, formatIp, type IpAddress, networkOf, parseIp, sizeOf } from '../sys/ip.ts';

/**
 * The addresses of one subnet: lowest free first, as Docker gives them out. Network and broadcast address (of IPv6: the routers') are never
 * given.
 */
export class AddressPool {
  readonly #subnet: Cidr;
  /** What is given out to those who ask for none in particular. */
  readonly #range: Cidr;
  readonly #reserved: ReadonlySet<bigint>;
  readonly #taken = new Set<bigint>();
  /** Everything of the range below is taken. */
  #lowest: bigint;

  constructor(subnet: Cidr, range: Cidr = subnet) {
    this.#subnet = networkOf(subnet);
    this.#range = networkOf(range);
    this.#lowest = this.#range.base;
    this.#reserved = new Set(endsOf(this.#subnet));
  }

  /** The lowest free address, now taken; undefined when there is none. */
  allocate(): string | undefined {
    const end = this.#range.base + sizeOf(this.#range);
    for (let value = this.#lowest; value < end; value++) {
      if (this.#taken.has(value) || this.#reserved.has(value)) continue;
      this.#taken.add(value);
      this.#lowest = value + 1n;
      return formatIp({ family: this.#subnet.family, value });
    }
    this.#lowest = end;
    return undefined;
  }

  /** This very address, also outside the range. False when it is taken, or none of the subnet's. */
  take(address: string): boolean {
    const value = this.#ownValue(address);
    if (value === undefined || this.#taken.has(value) || this.#reserved.has(value)) return false;
    this.#taken.add(value);
    return true;
  }

  /** Take over an address that is in use already. One of another subnet (an older configuration) is none of ours. */
  adopt(address: string): void {
    const value = this.#ownValue(address);
    if (value !== undefined) this.#taken.add(value);
  }

  release(address: string): void {
    const value = this.#ownValue(address);
    if (value === undefined || !this.#taken.delete(value)) return;
    if (value < this.#lowest && value >= this.#range.base) this.#lowest = value;
  }

  #ownValue(address: string): bigint | undefined {
    const ip: IpAddress | undefined = parseIp(address);
    return ip !== undefined && contains(this.#subnet, ip) ? ip.value : undefined;
  }
}

function endsOf(subnet: Cidr): bigint[] {
  const { family, base, prefixLength } = subnet;
  if (family === 6) return prefixLength < 127 ? [base] : [];
  return prefixLength < 31 ? [base, base + sizeOf(subnet) - 1n] : [];
}

/** Docker's classic form: an address that is given out again keeps the neighbours' ARP tables true. */
export function macAddressOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}
