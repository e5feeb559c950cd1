import type { PortRequest } from '../../network/ports/published-ports.ts';
import { byPort, canonicalPort, parseHostPorts, parsePort } from '../../oci/port-text.ts';
import type { ContainerConfig, HostOptions } from '../container.ts';
import type { PortBindingOption, PortBindings } from './port-binding.ts';

/** What a start publishes: as in Docker only what is exposed, too; with all, what is exposed and not bound gets any port. */
export function portRequests(
  { exposedPorts }: Pick<ContainerConfig, 'exposedPorts'>,
  { portBindings, publishAllPorts }: Pick<HostOptions, 'portBindings' | 'publishAllPorts'>,
): PortRequest[] {
  const bindingsOf = byCanonicalPort(portBindings);
  return exposedPorts.toSorted(byPort).flatMap((port) => {
    const bindings = bindingsOf.get(port) ?? [];
    const wanted = bindings.length === 0 && publishAllPorts ? [{ hostIp: '', hostPort: '' }] : bindings;
    return [...byHostPort(wanted)].map(([hostPort, hostAddresses]) => ({
      ...parsePort(port),
      hostAddresses,
      hostPorts: parseHostPorts(hostPort),
    }));
  });
}

/** Clients write `80` for `80/tcp` (Testcontainers does); who writes both is given both. */
function byCanonicalPort(portBindings: PortBindings): Map<string, PortBindingOption[]> {
  const bindings = new Map<string, PortBindingOption[]>();
  for (const [key, wanted] of Object.entries(portBindings)) {
    const port = canonicalPort(key);
    if (port !== undefined) bindings.set(port, [...(bindings.get(port) ?? []), ...(wanted ?? [])]);
  }
  return bindings;
}

/** Several addresses for the same words share a port of the host. */
function byHostPort(bindings: readonly PortBindingOption[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { hostIp, hostPort } of bindings)
    groups.set(hostPort, [...new Set([...(groups.get(hostPort) ?? []), hostIp])]);
  return groups;
}
