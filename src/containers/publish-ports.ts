import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import type { Endpoint } from '../network/network-driver.ts';
import type { PortRequest } from '../network/published-ports.ts';
import type { ContainerRecord } from './container-record.ts';
import type { ContainerDependencies } from './dependencies.ts';

/** Lead ports of the host to a container that has joined its networks. @returns its endpoints as they are then. @throws EngineError in Docker's words. */
export async function publishPorts(
  record: ContainerRecord,
  endpoints: Endpoint[],
  { networks }: Pick<ContainerDependencies, 'networks'>,
): Promise<Endpoint[]> {
  const requests = portRequests(record);
  if (requests.length === 0) return endpoints;
  try {
    const published = await networks.publish(record.id, requests);
    return endpoints.map(
      (endpoint) => published.find(({ endpointId }) => endpointId === endpoint.endpointId) ?? endpoint,
    );
  } catch (error) {
    const [endpoint] = endpoints;
    throw new EngineError(
      kindOf(error),
      `failed to set up container networking: driver failed programming external connectivity on endpoint ${record.name} (${endpoint?.endpointId}): ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Those that were named, and with `-P` all others that it exposes. */
export function portRequests({ host, config }: Pick<ContainerRecord, 'host' | 'config'>): PortRequest[] {
  const named = Object.entries(host.portBindings).flatMap(([port, bindings]) =>
    bindings.map(({ hostIp, hostPort }) => request(port, hostIp, hostPort)),
  );
  const exposed = config.exposedPorts.filter((port) => (host.portBindings[port] ?? []).length === 0);
  return [...named, ...(host.publishAllPorts ? exposed.map((port) => request(port, '', '')) : [])];
}

function request(port: string, hostAddress: string, hostPort: string): PortRequest {
  const [number, protocol] = port.split('/');
  const [from = '', to = from] = hostPort.split('-');
  const isAny = from === '' || from === '0';
  return {
    protocol: protocol === 'udp' || protocol === 'sctp' ? protocol : 'tcp',
    port: Number.parseInt(number ?? '', 10),
    hostAddress,
    hostPorts: isAny ? undefined : { from: Number(from), to: Number(to) },
  };
}
