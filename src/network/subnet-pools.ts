import { createHash } from 'node:crypto';
import { EngineError } from '../errors/engine-error.ts';
import { type Cidr, type IpFamily, networkOf, overlaps, parseCidr, sizeOf } from '../sys/ip.ts';

/** Subnets of `prefixLength` are cut from `base`, lowest first. Docker's `default-address-pools`. */
export interface SubnetPool {
  base: Cidr;
  prefixLength: number;
}

const IPV4_POOLS: readonly SubnetPool[] = [
  ...Array.from({ length: 15 }, (_, at) => ({ base: parseCidr(`172.${17 + at}.0.0/16`), prefixLength: 16 })),
  { base: parseCidr('192.168.0.0/16'), prefixLength: 20 },
];

/** Docker's own for IPv4, and a unique local prefix (RFC 4193) that is the same at each start of this engine. */
export function defaultPools(owner: string): SubnetPool[] {
  const id = createHash('sha256').update(`${owner}\0ula`).digest('hex').slice(0, 10);
  const ula = `fd${id.slice(0, 2)}:${id.slice(2, 6)}:${id.slice(6, 10)}::/48`;
  return [...IPV4_POOLS, { base: parseCidr(ula), prefixLength: 64 }];
}

/** The first subnet of a family that overlaps with nothing in use. @throws EngineError "unavailable" */
export function chooseSubnet(pools: readonly SubnetPool[], family: IpFamily, used: readonly Cidr[]): Cidr {
  for (const { base, prefixLength } of pools.filter((pool) => pool.base.family === family)) {
    const { base: start } = networkOf(base);
    const candidate: Cidr = { family, base: start, prefixLength };
    const step = sizeOf(candidate);
    const end = start + sizeOf(base);
    while (candidate.base < end) {
      const taken = used.find((one) => overlaps(one, candidate));
      if (taken === undefined) return { ...candidate };
      // Past what is in the way, on the grid of this pool: wide ones are not walked through.
      const past = networkOf(taken).base + sizeOf(taken);
      const steps = (past - candidate.base + step - 1n) / step;
      candidate.base += (steps > 0n ? steps : 1n) * step;
    }
  }
  throw new EngineError('unavailable', 'all predefined address pools have been fully subnetted', {
    hint: 'Name a free subnet with --subnet.',
  });
}
