import type { PortRequest } from '../../network/ports/published-ports.ts';
import { byPort, parseHostPorts, parsePort } from '../../oci/port-text.ts';
import type { ContainerConfig, HostOptions } from '../container.ts';
import type { PortBindingOption } from './port-binding.ts';

/** What a start publishes: as in Docker only what is exposed, too; with all, what is exposed and not bound gets any port. */
export function portRequests(
  { exposedPorts }: Pick<ContainerConfig, 'exposedPorts'>,
  { portBindings, publishAllPorts }: Pick<HostOptions, 'portBindings' | 'publishAllPorts'>,
): PortRequest[] {
  return exposedPorts.toSorted(byPort).flatMap((port) => {
    const bindings = portBindings[port] ?? [];
    const wanted = bindings.length === 0 && publishAllPorts ? [{ hostIp: '', hostPort: '' }] : bindings;
    return [...byHostPort(wanted)].map(([hostPort, hostAddresses]) => ({
      ...parsePort(port),
      hostAddresses,
      hostPorts: parseHostPorts(hostPort),
    }));
  });
}

/** Several addresses for the same words share a port of the host. */
function byHostPort(bindings: readonly PortBindingOption[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { hostIp, hostPort } of bindings)
    groups.set(hostPort, [...(groups.get(hostPort) ?? []), hostIp]);
  return groups;
}
