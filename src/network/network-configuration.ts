import { EngineError } from '../errors/engine-error.ts';
import { checkSubnets } from './check-subnets.ts';
import type { CreateNetworkRequest, NetworkInfo } from './network-driver.ts';

/**
 * What a configuration network may be. Its drivers and options are looked at only once a network is made with them.
 *
 * @throws EngineError in Docker's words.
 */
export function checkConfiguration(request: CreateNetworkRequest): void {
  const { ingress, internal, attachable, scope } = request;
  if (ingress || internal || attachable || (scope !== '' && scope !== 'local'))
    throw new EngineError(
      'forbidden',
      'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
    );
  if (request.configFrom !== '')
    throw new EngineError(
      'forbidden',
      'a configuration network cannot depend on another configuration network',
    );
  checkSubnets(request.subnets);
}

/**
 * The request as it is with the settings of the network that it names with `configFrom`, by its name alone, as in Docker.
 *
 * @throws EngineError "not-found", "forbidden" where it has settings of its own, in Docker's words.
 */
export function withConfiguration(
  request: CreateNetworkRequest,
  networks: readonly NetworkInfo[],
): CreateNetworkRequest {
  const { configFrom, configOnly } = request;
  if (configFrom === '' || configOnly) return request;
  const from = networks.find((network) => network.configOnly && network.name === configFrom);
  if (from === undefined)
    throw new EngineError('not-found', `configuration network ${JSON.stringify(configFrom)} does not exist`);
  refuseOwnSettings(request);
  return {
    ...request,
    enableIpv4: from.enableIpv4,
    enableIpv6: from.enableIpv6,
    ipamDriver: from.ipamDriver,
    ipamOptions: from.ipamOptions,
    subnets: from.ipam.map(({ subnet, ipRange, gateway, auxAddresses }) => ({
      subnet,
      ipRange,
      gateway,
      auxAddresses,
    })),
    options: from.options,
    labels: from.labels,
  };
}

function refuseOwnSettings(request: CreateNetworkRequest): void {
  const { labels, subnets, ipamDriver, ipamOptions = {}, enableIpv4, enableIpv6, options } = request;
  const isConfigured =
    Object.keys(labels).length > 0 ||
    subnets.length > 0 ||
    !['', 'default'].includes(ipamDriver) ||
    Object.keys(ipamOptions).length > 0 ||
    !enableIpv4 ||
    enableIpv6;
  if (isConfigured)
    throw new EngineError(
      'forbidden',
      'user specified configurations are not supported if the network depends on a configuration network',
    );
  if (Object.keys(options).length > 0)
    throw new EngineError(
      'forbidden',
      'network driver options are not supported if the network depends on a configuration network',
    );
}
