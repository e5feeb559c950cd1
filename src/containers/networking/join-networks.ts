import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import { endpointOptions } from '../../network/endpoint-options.ts';
import type { ConnectRequest, Endpoint } from '../../network/network-driver.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { UndoStack } from '../tasks/undo.ts';
import { canonicalMac } from './check-endpoint.ts';
import { linkNames, type NetworkMembership, namesOf, networksOf } from './container-networks.ts';

/** Join all networks of a container, in their order. @throws EngineError as `Networks.connect`, in Docker's words. */
export async function joinNetworks(
  record: ContainerRecord,
  deps: Pick<ContainerDependencies, 'networks' | 'resolver'>,
  undo: UndoStack,
): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for (const membership of networksOf(record)) {
    const endpoint = await joinNetwork(record, membership, deps);
    undo.add('leave a network', () => deps.networks.disconnect(endpoint));
    endpoints.push(endpoint);
  }
  return endpoints;
}

async function joinNetwork(
  record: ContainerRecord,
  membership: NetworkMembership,
  deps: Pick<ContainerDependencies, 'networks' | 'resolver'>,
): Promise<Endpoint> {
  try {
    return await deps.networks.connect(await connectRequest(record, membership, deps));
  } catch (error) {
    throw new EngineError(kindOf(error), `failed to set up container networking: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** What the network room is asked for. */
export async function connectRequest(
  record: ContainerRecord,
  membership: NetworkMembership,
  deps: Pick<ContainerDependencies, 'resolver'>,
): Promise<ConnectRequest> {
  const { network, ipv4Address, ipv6Address, linkLocalAddresses, macAddress, gatewayPriority } = membership;
  const mac = canonicalMac(macAddress);
  const { interfaceName, sysctls } = endpointOptions(membership.driverOptions);
  const { dns } = record.host;
  const servers = dns.length > 0 ? dns : (await deps.resolver('names')).nameservers;
  return {
    containerId: record.id,
    network,
    ...(ipv4Address === '' ? {} : { ipv4Address }),
    ...(ipv6Address === '' ? {} : { ipv6Address }),
    ...(mac === undefined ? {} : { macAddress: mac }),
    ...(interfaceName === undefined ? {} : { interfaceName }),
    sysctls,
    linkLocalAddresses,
    gatewayPriority,
    names: namesOf(record, membership),
    links: linkNames(membership),
    forwarding: { servers, fromContainer: dns.length > 0 },
  };
}
