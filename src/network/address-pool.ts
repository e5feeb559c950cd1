import { EngineError } from '../errors/engine-error.ts';
import { type Cidr, contains, formatIpv4, networkOf, parseIpv4, sizeOf } from './ipv4.ts';

/** Docker's default pools for networks of scope local, in its order. */
const DEFAULT_SUBNETS: readonly Cidr[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ base: 0xac11_0000 + index * 0x1_0000, prefixLength: 16 })),
  ...Array.from({ length: 16 }, (_, index) => ({ base: 0xc0a8_0000 + index * 0x1000, prefixLength: 20 })),
];

/** The first of Docker's default subnets that overlaps with nothing in use. @throws EngineError "unavailable" */
export function chooseSubnet(isFree: (candidate: Cidr) => boolean): Cidr {
  const subnet = DEFAULT_SUBNETS.find(isFree);
  if (subnet === undefined) {
    throw new EngineError('unavailable', 'all predefined address pools have been fully subnetted', {
      hint: 'Name a free subnet with --bip.',
    });
  }
  return subnet;
}

/** The addresses of one subnet: lowest free first, as Docker gives them out; network, broadcast and gateway never. */
export class AddressPool {
  readonly #subnet: Cidr;
  readonly #reserved: ReadonlySet<number>;
  readonly #taken = new Set<number>();
  /** Everything below is taken. */
  #lowest: number;

  constructor(subnet: Cidr, gateway: number) {
    this.#subnet = networkOf(subnet);
    this.#lowest = this.#subnet.base;
    const { base, prefixLength } = this.#subnet;
    const ends = prefixLength < 31 ? [base, base + sizeOf(prefixLength) - 1] : [];
    this.#reserved = new Set([gateway, ...ends]);
  }

  /** The lowest free address, now taken; undefined when there is none. */
  allocate(): string | undefined {
    const end = this.#subnet.base + sizeOf(this.#subnet.prefixLength);
    for (let address = this.#lowest; address < end; address++) {
      if (this.#taken.has(address) || this.#reserved.has(address)) continue;
      this.#taken.add(address);
      this.#lowest = address + 1;
      return formatIpv4(address);
    }
    this.#lowest = end;
    return undefined;
  }

  /** Take over an address that is in use already. One of another subnet (an older configuration) is none of ours. */
  adopt(address: string): void {
    const value = parseIpv4(address);
    if (value !== undefined && contains(this.#subnet, value)) this.#taken.add(value);
  }

  release(address: string): void {
    const value = parseIpv4(address);
    if (value === undefined || !this.#taken.delete(value)) return;
    this.#lowest = Math.min(this.#lowest, value);
  }
}

/** Docker's classic form: an address that is given out again keeps the neighbours' ARP tables true. */
export function macAddressOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}
