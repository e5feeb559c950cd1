import { EngineError } from '../errors/engine-error.ts';
import { type Cidr, contains, formatCidr, networkOf, parseIp, readCidr } from '../sys/ip.ts';
import type { SubnetRequest } from './network-driver.ts';

/** @throws EngineError "invalid" that tells of all that is wrong, in Docker's words. */
export function checkSubnets(subnets: readonly SubnetRequest[]): void {
  const faults = subnets.flatMap(faultsOf);
  const [first] = faults;
  if (first === undefined) return;
  const text = faults.length === 1 ? first : faults.map((fault) => `* ${fault}`).join('\n');
  throw new EngineError('invalid', `invalid network config:\n${text}`);
}

function faultsOf(request: SubnetRequest): string[] {
  const { subnet, ipRange, gateway, auxAddresses } = request;
  const cidr = readCidr(subnet);
  if (cidr === undefined) return [`invalid subnet ${subnet}: invalid CIDR block notation`];
  const network = networkOf(cidr);
  return [
    ...(network.base === cidr.base ? [] : [`invalid subnet ${subnet}: it should be ${formatCidr(network)}`]),
    ...rangeFaults(ipRange, network),
    ...(gateway === '' ? [] : addressFaults(`gateway ${gateway}`, gateway, network)),
    ...Object.entries(auxAddresses).flatMap(([name, address]) =>
      addressFaults(`auxiliary address ${name}`, address, network),
    ),
  ];
}

function rangeFaults(text: string, network: Cidr): string[] {
  if (text === '') return [];
  const fault = (reason: string) => [`invalid ip-range ${text}: ${reason}`];
  const range = readCidr(text);
  if (range === undefined) return fault('invalid CIDR block notation');
  if (range.family !== network.family) return fault(`parent subnet is an IPv${network.family} block`);
  if (range.prefixLength < network.prefixLength)
    return fault(`CIDR block is bigger than its parent subnet ${formatCidr(network)}`);
  const masked = networkOf(range);
  if (masked.base !== range.base) return fault(`it should be ${formatCidr(masked)}`);
  return contains(network, { family: range.family, value: range.base })
    ? []
    : fault(`parent subnet ${formatCidr(network)} doesn't contain ip-range`);
}

function addressFaults(what: string, text: string, network: Cidr): string[] {
  const fault = (reason: string) => [`invalid ${what}: ${reason}`];
  const address = parseIp(text);
  if (address === undefined) return fault('invalid address');
  if (address.family !== network.family) return fault(`parent subnet is an IPv${network.family} block`);
  return contains(network, address)
    ? []
    : fault(`parent subnet ${formatCidr(network)} doesn't contain this address`);
}
