import type { Endpoint } from '../network/network-driver.ts';
import { parseBind } from './binds.ts';
import { commandOf } from './command.ts';
import type { ContainerView, MountView } from './container.ts';
import type { ContainerPaths } from './container-paths.ts';
import { stateOf } from './container-status.ts';
import type { NetworkEndpointView } from './endpoint-view.ts';
import type { LiveContainer } from './live-container.ts';

/** Everything one can see of a container, as of now. */
export function viewOf(container: LiveContainer, paths: ContainerPaths, driver: string): ContainerView {
  const { record } = container;
  const [path = '', ...args] = commandOf(record.config);
  return {
    id: record.id,
    name: record.name,
    createdNano: record.createdNano,
    config: record.config,
    host: record.host,
    image: record.image,
    path,
    args,
    state: stateOf(container),
    restartCount: record.restartCount,
    logPath: paths.log(record.id),
    driver,
    endpoints: [endpointView(record.host.networkMode, container.task?.endpoint)],
    mounts: mountViews(container),
    resolvConfPath: paths.resolvConf(record.id),
    hostnamePath: paths.hostname(record.id),
    hostsPath: paths.hosts(record.id),
  };
}

function endpointView(networkMode: string, endpoint: Endpoint | undefined): NetworkEndpointView {
  const name = networkMode === 'default' || networkMode === '' ? 'bridge' : networkMode;
  return {
    networkName: name,
    networkId: endpoint?.networkId ?? '',
    endpointId: endpoint?.endpointId ?? '',
    macAddress: endpoint?.macAddress ?? '',
    ipv4Address: endpoint?.ipv4?.address ?? '',
    ipv4PrefixLength: endpoint?.ipv4?.prefixLength ?? 0,
    gateway: endpoint?.ipv4?.gateway ?? '',
    ipv6Address: endpoint?.ipv6?.address ?? '',
    ipv6PrefixLength: endpoint?.ipv6?.prefixLength ?? 0,
    ipv6Gateway: endpoint?.ipv6?.gateway ?? '',
  };
}

function mountViews(container: LiveContainer): MountView[] {
  return container.record.host.binds.map((text) => {
    const bind = parseBind(text);
    return {
      type: 'bind',
      source: bind.source,
      destination: bind.destination,
      mode: bind.options.join(','),
      readWrite: !bind.readonly,
      propagation: bind.propagation,
    };
  });
}
