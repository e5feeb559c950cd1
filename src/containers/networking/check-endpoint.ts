import { isIPv4, isIPv6 } from 'node:net';
import { EngineError } from '../../errors/engine-error.ts';
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
  const { ipv4Address, ipv6Address, linkLocalAddresses, macAddress } = membership;
  const faults = [
    ...(ipv4Address === '' || isIPv4(ipv4Address) ? [] : [`invalid IPv4 address: ${ipv4Address}`]),
    ...(ipv6Address === '' || isIPv6(ipv6Address) ? [] : [`invalid IPv6 address: ${ipv6Address}`]),
    ...linkLocalAddresses
      .filter((one) => !isIPv4(one) && !isIPv6(one))
      .map((one) => `invalid link-local IP address: ${one}`),
    ...(isMac(macAddress) ? [] : [`invalid MAC address: ${macAddress}`]),
  ];
  if (faults.length > 0 || network === undefined) return faults;
  const userDefined = !['bridge', 'host', 'none'].includes(network.name);
  if (membership.aliases.length > 0 && !userDefined)
    faults.push('network-scoped alias is supported only for containers in user defined networks');
  const asked = { ipv4: ipv4Address || undefined, ipv6: ipv6Address || undefined };
  const chosen = network.ipam.length > 0 && network.ipam.every(isChosen) && network.name !== 'bridge';
  if (chosen && (asked.ipv4 ?? asked.ipv6) !== undefined)
    faults.push(
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    );
  else faults.push(...addressFaults(network, asked));
  return faults;
}

/** @throws EngineError "invalid" with all faults, as Docker lists them. */
export function refuseFaults(faults: readonly string[], prefix: string): void {
  if (faults.length === 0) return;
  const text = faults.length === 1 ? faults[0] : faults.map((fault) => `* ${fault}`).join('\n');
  throw new EngineError('invalid', `${prefix}invalid endpoint settings:\n${text}`);
}

function isMac(text: string): boolean {
  return text === '' || /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i.test(text);
}

/** By the engine rather than by the user. */
function isChosen({ subnetChosen }: NetworkInfo['ipam'][number]): boolean {
  return subnetChosen;
}
