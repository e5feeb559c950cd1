import type { ContainerView, HostOptions } from '../../containers/container.ts';
import type { PublishedPort } from '../../network/ports/published-ports.ts';
import { byPort, parsePort } from '../../oci/port-text.ts';
import type { PortSummary } from '../../wire/container.ts';
import type { PortBinding } from '../../wire/host-config.ts';

/** `HostConfig.PortBindings`, as asked for. */
export function encodePortBindings({
  portBindings,
  emptyLists,
}: HostOptions): Record<string, PortBinding[] | null> | null {
  const entries = Object.entries(portBindings);
  if (entries.length === 0) return emptyLists.includes('PortBindings') ? {} : null;
  return Object.fromEntries(
    entries.map(([port, bindings]) => [
      port,
      bindings?.map(({ hostIp, hostPort }) => ({ HostIp: hostIp, HostPort: hostPort })) ?? null,
    ]),
  );
}

/** `NetworkSettings.Ports`: of a running container, what is exposed, and where it is published. */
export function encodePorts(view: ContainerView): Record<string, PortBinding[] | null> {
  return Object.fromEntries(
    shownPorts(view)
      .toSorted()
      .map((port) => {
        const published = publishedAs(view, port);
        return [port, published.length === 0 ? null : published.map(encodeBinding)];
      }),
  );
}

/** `Ports` of a list. */
export function encodePortSummaries(view: ContainerView): PortSummary[] {
  return shownPorts(view)
    .toSorted(byPort)
    .flatMap((port) => {
      const { containerPort, protocol } = parsePort(port);
      const published = publishedAs(view, port);
      if (published.length === 0) return [{ PrivatePort: containerPort, Type: protocol }];
      return published.map(({ hostAddress, hostPort }) => ({
        IP: hostAddress,
        PrivatePort: containerPort,
        ...(hostPort === 0 ? {} : { PublicPort: hostPort }),
        Type: protocol,
      }));
    });
}

/** Those of a running container with an address. */
function shownPorts({ state, endpoints, config }: ContainerView): string[] {
  const isUp = state.status === 'running' || state.status === 'paused';
  const isReached = endpoints.some(
    ({ ipv4Address, ipv6Address }) => ipv4Address !== '' || ipv6Address !== '',
  );
  return isUp && isReached ? config.exposedPorts : [];
}

function publishedAs({ ports }: ContainerView, port: string): PublishedPort[] {
  const { containerPort, protocol } = parsePort(port);
  return ports
    .filter((one) => one.containerPort === containerPort && one.protocol === protocol)
    .toSorted(
      (one, other) =>
        one.hostPort - other.hostPort ||
        Number(one.hostAddress.includes(':')) - Number(other.hostAddress.includes(':')),
    );
}

/** A routed port has none of the host. */
function encodeBinding({ hostAddress, hostPort }: PublishedPort): PortBinding {
  return { HostIp: hostAddress, HostPort: hostPort === 0 ? '' : String(hostPort) };
}
