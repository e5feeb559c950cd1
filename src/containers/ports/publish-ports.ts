import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import type { Endpoint } from '../../network/network-driver.ts';
import type { ContainerRecord } from '../container-record.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import { portRequests } from './port-requests.ts';

/**
 * Publish what a container asks for, on the endpoints by which it reaches the outside. Again is fine: after a change of its networks, its
 * ports lead to its new addresses, and those of the host that nobody named may be others.
 *
 * @throws EngineError "internal" in Docker's words.
 */
export async function publishPorts(
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  { networks }: Pick<ContainerDependencies, 'networks'>,
): Promise<void> {
  const ports = portRequests(record.config, record.host);
  const [ipv4, ipv6] = [outward(endpoints, 'ipv4'), outward(endpoints, 'ipv6')];
  const endpoint = ipv4 ?? ipv6;
  if (ports.length === 0 || endpoint === undefined) return;
  try {
    await networks.ports.publish({
      containerId: record.id,
      containerName: record.name,
      ipv4: ipv4?.ipv4?.address,
      ipv6: ipv6?.ipv6?.address,
      ports,
    });
  } catch (error) {
    const hint = error instanceof EngineError ? error.hint : undefined;
    throw new EngineError(
      kindOf(error),
      `failed to set up container networking: driver failed programming external connectivity on endpoint ${record.name} (${endpoint.endpointId}): ${messageOf(error)}`,
      { cause: error, ...(hint === undefined ? {} : { hint }) },
    );
  }
}

/** The endpoint whose gateway is the container's: of the highest priority, first by name. Only bridges forward ports. */
function outward(endpoints: readonly Endpoint[], family: 'ipv4' | 'ipv6'): Endpoint | undefined {
  return endpoints
    .filter((one) => one.networkDriver === 'bridge' && (one[family]?.gateway ?? '') !== '')
    .toSorted(
      (one, other) =>
        other.gatewayPriority - one.gatewayPriority || (one.networkName < other.networkName ? -1 : 1),
    )[0];
}
