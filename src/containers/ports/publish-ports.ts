import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import { gatewayModesOf, parseBridgeOptions } from '../../network/bridge-options.ts';
import type { Endpoint } from '../../network/network-driver.ts';
import type { PortHolding } from '../../network/ports/published-ports.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { sharesPorts } from './balance-ports.ts';
import { portRequests } from './port-requests.ts';

/**
 * Publish what a container asks for, on the endpoints by which it reaches the outside; withdraw what it asks for no more.
 *
 * @throws EngineError "internal" that names the port and who has it.
 */
export async function publishWanted(
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  { networks }: Pick<ContainerDependencies, 'networks'>,
): Promise<void> {
  const ports = portRequests(record.config, record.host);
  const [ipv4, ipv6] = [outward(endpoints, 'ipv4'), outward(endpoints, 'ipv6')];
  const isReached = ipv4 !== undefined || ipv6 !== undefined;
  if (ports.length === 0 || !isReached) {
    if (networks.ports.of(record.id).length > 0) await networks.ports.withdraw(record.id);
    return;
  }
  const hostBinding = await hostBindingOf(ipv4 ?? ipv6, networks);
  const routed = [
    ...((await isRouted(ipv4, 4, networks)) ? [4 as const] : []),
    ...((await isRouted(ipv6, 6, networks)) ? [6 as const] : []),
  ];
  await networks.ports.publish({
    containerId: record.id,
    containerName: record.name,
    ipv4: ipv4?.ipv4?.address,
    ipv6: ipv6?.ipv6?.address,
    ports: ports.map((port) => ({
      ...port,
      hostAddresses: port.hostAddresses.map((address) => (address === '' ? hostBinding : address)),
    })),
    routed,
    shared: sharesPorts(record),
  });
}

async function isRouted(
  endpoint: Endpoint | undefined,
  family: 4 | 6,
  networks: ContainerDependencies['networks'],
): Promise<boolean> {
  const network = endpoint === undefined ? undefined : await networks.get(endpoint.networkId);
  return network !== undefined && gatewayModesOf(network)[family] === 'routed';
}

/** Where a network has ports published that name no address; '': on all. */
async function hostBindingOf(
  endpoint: Endpoint | undefined,
  networks: ContainerDependencies['networks'],
): Promise<string> {
  const network = endpoint === undefined ? undefined : await networks.get(endpoint.networkId);
  const address = parseBridgeOptions(network?.options ?? {}).hostBinding;
  return address === undefined || address === '0.0.0.0' || address === '::' ? '' : address;
}

/** As `publishWanted`. @throws EngineError "internal" in Docker's words. */
export async function publishPorts(
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  deps: Pick<ContainerDependencies, 'networks'>,
): Promise<void> {
  try {
    await publishWanted(record, endpoints, deps);
  } catch (error) {
    const endpoint = outward(endpoints, 'ipv4') ?? outward(endpoints, 'ipv6');
    const hint = error instanceof EngineError ? error.hint : undefined;
    throw new EngineError(
      kindOf(error),
      `failed to set up container networking: driver failed programming external connectivity on endpoint ${record.name} (${endpoint?.endpointId}): ${messageOf(error)}`,
      { cause: error, ...(hint === undefined ? {} : { hint }) },
    );
  }
}

/** Of a running container, whose networks have changed: its ports lead to where it is reached now. What can't be had any more is logged. */
export async function movePorts(
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  deps: Pick<ContainerDependencies, 'networks' | 'logger'>,
): Promise<void> {
  const [ipv4, ipv6] = [outward(endpoints, 'ipv4')?.ipv4, outward(endpoints, 'ipv6')?.ipv6];
  const { ports } = deps.networks;
  const present = ports.of(record.id);
  const wanted = ({ target }: PortHolding): boolean =>
    target === (target.includes(':') ? ipv6?.address : ipv4?.address);
  if (present.length > 0 && present.every(wanted)) return;
  try {
    await publishPorts(record, endpoints, deps);
  } catch (error) {
    deps.logger.warn('Cannot publish the ports of a container whose networks have changed', {
      container: record.id,
      error: messageOf(error),
    });
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
