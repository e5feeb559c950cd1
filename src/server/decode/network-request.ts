import type { NetworkMembership } from '../../containers/networking/container-networks.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { CreateNetworkRequest, SubnetRequest } from '../../network/network-driver.ts';
import type { Json } from '../../wire/json.ts';
import { decodeEndpoint, emptyMembership } from './endpoint-settings.ts';
import { anything, boolean, Fields, listOf, string, stringMap } from './go-json.ts';

/** The body of `POST /networks/create`. @throws EngineError "invalid" on wrong types. */
export function decodeNetworkRequest(body: Json): CreateNetworkRequest {
  const fields = new Fields(body, '', 'network.CreateRequest');
  const ipam = fields.get('IPAM', (value, field) => new Fields(value, field, 'network.IPAM'));
  const from = fields.get(
    'ConfigFrom',
    (value, field) => new Fields(value, field, 'network.ConfigReference'),
  );
  return {
    name: fields.get('Name', string) ?? '',
    driver: fields.get('Driver', string) ?? '',
    scope: fields.get('Scope', string) ?? '',
    internal: fields.get('Internal', boolean) ?? false,
    attachable: fields.get('Attachable', boolean) ?? false,
    ingress: fields.get('Ingress', boolean) ?? false,
    configOnly: fields.get('ConfigOnly', boolean) ?? false,
    configFrom: from?.get('Network', string) ?? '',
    enableIpv4: fields.get('EnableIPv4', boolean) ?? true,
    enableIpv6: fields.get('EnableIPv6', boolean) ?? false,
    ipamDriver: ipam?.get('Driver', string) ?? '',
    ipamOptions: ipam?.get('Options', stringMap),
    subnets: ipam?.get('Config', listOf(decodeSubnet)) ?? [],
    options: fields.get('Options', stringMap) ?? {},
    labels: fields.get('Labels', stringMap) ?? {},
  };
}

function decodeSubnet(value: Json, field: string): SubnetRequest {
  const fields = new Fields(value, field, 'network.IPAMConfig');
  return {
    subnet: fields.get('Subnet', string) ?? '',
    ipRange: fields.get('IPRange', string) ?? '',
    gateway: fields.get('Gateway', string) ?? '',
    auxAddresses: fields.get('AuxiliaryAddresses', stringMap) ?? {},
  };
}

/** The body of `POST /networks/{}/connect`. */
export function decodeConnect(
  body: Json,
  network: string,
): { container: string; settings: NetworkMembership } {
  const fields = new Fields(body, '', 'network.ConnectRequest');
  const settings = fields.get('EndpointConfig', (value, field) => decodeEndpoint(value, field, network));
  return { container: containerOf(fields), settings: settings ?? emptyMembership(network) };
}

/** The body of `POST /networks/{}/disconnect`. */
export function decodeDisconnect(body: Json): { container: string; force: boolean } {
  const fields = new Fields(body, '', 'network.DisconnectRequest');
  return { container: containerOf(fields), force: fields.get('Force', boolean) ?? false };
}

function containerOf(fields: Fields): string {
  const container = fields.get('Container', string) ?? '';
  if (container === '') throw new EngineError('invalid', 'invalid container: value is empty');
  return container;
}

/**
 * `NetworkingConfig` of `POST /containers/create`: what is said of each network, the mode's among them, whose MAC address older clients put
 * into the container's `Config`.
 */
export function decodeNetworking(fields: Fields, mode: string): NetworkMembership[] {
  const memberships = decodeEndpoints(fields);
  const macAddress = fields.get('MacAddress', string) ?? '';
  if (macAddress === '') return memberships;
  const first = memberships.find(({ network }) => network === mode) ?? emptyMembership(mode);
  const others = memberships.filter(({ network }) => network !== mode);
  return [{ ...first, macAddress: first.macAddress || macAddress }, ...others];
}

function decodeEndpoints(fields: Fields): NetworkMembership[] {
  const networking = fields.get(
    'NetworkingConfig',
    (value, field) => new Fields(value, field, 'network.NetworkingConfig'),
  );
  const endpoints = networking?.get('EndpointsConfig', anything) ?? {};
  if (typeof endpoints !== 'object' || endpoints === null || Array.isArray(endpoints))
    throw new EngineError(
      'invalid',
      'invalid JSON: json: cannot unmarshal value into Go struct field .NetworkingConfig.EndpointsConfig of type map[string]*network.EndpointSettings',
    );
  return Object.entries(endpoints).map(([network, settings]) =>
    decodeEndpoint(settings, '.NetworkingConfig.EndpointsConfig', network),
  );
}
