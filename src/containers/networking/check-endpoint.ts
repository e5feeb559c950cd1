import { isIPv4, isIPv6 } from 'node:net';
import { EngineError } from '../../errors/engine-error.ts';
import { sysctlFaults } from '../../network/endpoint-options.ts';
import type { NetworkInfo } from '../../network/network-driver.ts';
import type { NetworkMembership } from './container-networks.ts';

/** What the network room's `addressFaults` says of the addresses. */
type AddressFaults = (
  network: NetworkInfo,
  asked: { ipv4: string | undefined; ipv6: string | undefined },
) => string[];

/** Faults of an endpoint's settings, in Docker's words; of those that need the network, where there is one. */
export function endpointFaults(
  membership: NetworkMembership,
  network: NetworkInfo | undefined,
  addressFaults: AddressFaults,
): string[] {
  const { ipv4Address, ipv6Address, linkLocalAddresses, aliases, driverOptions } = membership;
  const asked = { ipv4: ipv4Address || undefined, ipv6: ipv6Address || undefined };
  const isPredefined = network !== undefined && ['bridge', 'host', 'none'].includes(network.name);
  return [
    ...(isPredefined && (asked.ipv4 ?? asked.ipv6) !== undefined
      ? ['user specified IP address is supported on user defined networks only']
      : []),
    ...(isPredefined && aliases.length > 0
      ? ['network-scoped alias is supported only for containers in user defined networks']
      : []),
    ...(ipv4Address === '' || isIPv4(ipv4Address) ? [] : [`invalid IPv4 address: ${ipv4Address}`]),
    ...(ipv6Address === '' || isIPv6(ipv6Address) ? [] : [`invalid IPv6 address: ${ipv6Address}`]),
    ...linkLocalAddresses
      .filter((one) => !isIPv4(one) && !isIPv6(one))
      .map((one) => `invalid link-local IP address: ${one}`),
    ...(network === undefined ? [] : subnetFaults(network, asked, addressFaults)),
    ...sysctlFaults(driverOptions),
  ];
}

/** Addresses can be had of subnets that somebody has named; `none` and `host` have none at all. */
function subnetFaults(
  network: NetworkInfo,
  asked: Parameters<AddressFaults>[1],
  addressFaults: AddressFaults,
): string[] {
  return ([4, 6] as const).flatMap((family) => {
    const wanted = family === 4 ? { ...asked, ipv6: undefined } : { ...asked, ipv4: undefined };
    if ((wanted.ipv4 ?? wanted.ipv6) === undefined) return [];
    const own = network.ipam.filter(({ subnet }) => subnet.includes(':') === (family === 6));
    return network.name !== 'bridge' && own.every(({ subnetChosen }) => subnetChosen)
      ? [
          'user specified IP address is supported only when connecting to networks with user configured subnets',
        ]
      : addressFaults(network, wanted);
  });
}

/** @throws EngineError "invalid" with all faults, as Docker lists them. */
export function refuseFaults(faults: readonly string[], prefix: string): void {
  if (faults.length === 0) return;
  const text = faults.length === 1 ? faults[0] : faults.map((fault) => `* ${fault}`).join('\n');
  throw new EngineError('invalid', `${prefix}invalid endpoint settings:\n${text}`);
}

/** @throws EngineError "invalid" in Docker's words, by themselves. */
export function checkMac({ macAddress }: Pick<NetworkMembership, 'macAddress'>, prefix: string): void {
  if (macAddress !== '' && canonicalMac(macAddress) === undefined)
    throw new EngineError('invalid', `${prefix}invalid MAC address ${macAddress}`);
}

/** `02:42:00:00:00:01`, of that with hyphens and of `0242.0000.0001`; undefined for what is none. */
export function canonicalMac(text: string): string | undefined {
  const isMac =
    /^(?:[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})$/i.test(text);
  return isMac ? text.toLowerCase().replace(/[:.-]/g, '').match(/../g)?.join(':') : undefined;
}
