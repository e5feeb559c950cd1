import { networkInterfaces } from 'node:os';
import type { HostInterface } from './exposure.ts';

/** Those that other hosts may be behind: up, with an address that is good beyond the link. */
export function hostInterfaces(): HostInterface[] {
  return Object.entries(networkInterfaces()).flatMap(([name, list]) => {
    const addresses = (list ?? [])
      .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
      .map(({ address }) => address);
    return addresses.length === 0 ? [] : [{ name, addresses }];
  });
}
