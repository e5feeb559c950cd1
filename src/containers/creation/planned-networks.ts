import type { NetworkInfo, Networks } from '../../network/network-driver.ts';
import { addressFaults } from '../../network/plan-network.ts';
import type { CreateRequest } from '../container-backend.ts';
import { checkMac, endpointFaults, refuseFaults } from '../networking/check-endpoint.ts';
import { initialNetworks, type NetworkMembership } from '../networking/container-networks.ts';

/** The networks of a new container. One that is not there (yet) fails its start, not its creation. @throws EngineError "invalid" in Docker's words. */
export async function plannedNetworks(
  { host, networks: asked }: Pick<CreateRequest, 'host' | 'networks'>,
  networks: Pick<Networks, 'get'>,
): Promise<NetworkMembership[]> {
  const names = ['bridge', host.networkMode, ...asked.map(({ network }) => network)];
  const known = new Map<string, NetworkInfo | undefined>();
  for (const name of names) known.set(name, await networks.get(name));
  const memberships = initialNetworks(host.networkMode, asked, (name) => known.get(name));
  for (const membership of memberships) {
    const prefix = `invalid config for network ${membership.network}: `;
    checkMac(membership, prefix);
    const faults = endpointFaults(membership, known.get(membership.network), addressFaults);
    refuseFaults(faults, prefix);
  }
  return memberships;
}
