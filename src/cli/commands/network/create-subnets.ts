import { EngineError } from '../../../errors/engine-error.ts';
import { type Cidr, contains, overlaps, parseCidr, parseIp } from '../../../sys/ip.ts';

/** As `POST /networks/create` takes it. */
export interface IpamConfig {
  Subnet: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

export interface SubnetFlags {
  subnets: readonly string[];
  ranges: readonly string[];
  gateways: readonly string[];
  /** By name. */
  aux: Readonly<Record<string, string>>;
}

/** Puts each range, gateway and address to the subnet that holds it. @throws EngineError "invalid" in Docker's words. */
export function ipamConfigs(flags: SubnetFlags): IpamConfig[] {
  const { subnets, ranges, gateways, aux } = flags;
  if (subnets.length < ranges.length || subnets.length < gateways.length)
    refuse('every ip-range or gateway must have a corresponding subnet');
  const configs = subnets.map((subnet): IpamConfig => ({ Subnet: subnet }));
  // Docker's client compares them only, and leaves it to the daemon to judge one that stands alone.
  if (configs.length === 1 && ranges.length + gateways.length + Object.keys(aux).length === 0) return configs;
  const cidrs = configs.map(({ Subnet: subnet }) => parseCidr(subnet));
  for (const [at, cidr] of cidrs.entries())
    if (cidrs.slice(0, at).some((other) => overlaps(other, cidr)))
      refuse('multiple overlapping subnet configuration is not supported');
  const holder = (address: string, what: string): IpamConfig => {
    const at = cidrs.findIndex((cidr) => holds(cidr, address));
    return configs[at] ?? refuse(`no matching subnet for ${what} ${address}`);
  };
  for (const range of ranges) {
    const config = holder(range, 'range');
    if (config.IPRange !== undefined)
      refuse(
        `cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`,
      );
    config.IPRange = range;
  }
  for (const gateway of gateways) {
    const config = holder(gateway, 'gateway');
    if (config.Gateway !== undefined)
      refuse(
        `cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`,
      );
    config.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(aux)) {
    const config = holder(address, 'aux-address');
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address };
  }
  return configs;
}

/** An address, or a network by its first. */
function holds(cidr: Cidr, text: string): boolean {
  const ip = parseIp(text.split('/')[0] ?? '');
  if (ip === undefined) return refuse(`invalid address: ${text}`);
  return contains(cidr, ip);
}

function refuse(message: string): never {
  throw new EngineError('invalid', message);
}
