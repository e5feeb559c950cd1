import type { NetworkMembership } from '../../containers/networking/container-networks.ts';
import type { Json } from '../../wire/json.ts';
import { Fields, int, string, stringMap, strings } from './go-json.ts';

/** Docker's `EndpointSettings`, as far as a client may ask for them. `field` is where they stand. */
export function decodeEndpoint(value: Json, field: string, network: string): NetworkMembership {
  const membership = emptyMembership(network);
  if (value === null) return membership;
  const fields = new Fields(value, field, 'network.EndpointSettings');
  const ipam = fields.get(
    'IPAMConfig',
    (config, place) => new Fields(config, place, 'network.EndpointIPAMConfig'),
  );
  return {
    ...membership,
    aliases: fields.get('Aliases', strings) ?? [],
    ipv4Address: ipam?.get('IPv4Address', string) ?? '',
    ipv6Address: ipam?.get('IPv6Address', string) ?? '',
    linkLocalAddresses: ipam?.get('LinkLocalIPs', strings) ?? [],
    macAddress: fields.get('MacAddress', string) ?? '',
    driverOptions: fields.get('DriverOpts', stringMap) ?? {},
    gatewayPriority: fields.get('GwPriority', int) ?? 0,
    links: fields.get('Links', strings) ?? [],
  };
}

/** Of a network of which nothing more is said. */
export function emptyMembership(network: string): NetworkMembership {
  return {
    network,
    aliases: [],
    ipv4Address: '',
    ipv6Address: '',
    linkLocalAddresses: [],
    macAddress: '',
    driverOptions: {},
    gatewayPriority: 0,
    links: [],
  };
}
