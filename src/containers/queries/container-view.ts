import type { Endpoint, Networks } from '../../network/network-driver.ts';
import { apparmorProfile } from '../../runtime/spec/apparmor.ts';
import { askedAppArmor } from '../../runtime/spec/security-options.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import { commandOf } from '../command.ts';
import type { ContainerView, MountView } from '../container.ts';
import { linkTexts } from '../links/linked-containers.ts';
import type { LiveContainer } from '../live-container.ts';
import { driverOf } from '../logs/log-options.ts';
import type { MountPoint } from '../mounts/mount-point.ts';
import { ownerOf } from '../namespaces/namespace-modes.ts';
import { endpointOf, namesOf, networksOf, usesOwnNetwork } from '../networking/container-networks.ts';
import type { NetworkEndpointView } from '../networking/endpoint-view.ts';
import type { ContainerPaths } from '../record/container-paths.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { stateOf } from './container-status.ts';

/** What of the engine is seen in its containers. */
export interface ViewContext {
  paths: ContainerPaths;
  driver: string;
  /** Of a container. */
  nameOf: (id: string) => string | undefined;
  /** As `linkNamesOf`. */
  linkNames: ReadonlyMap<string, string[]>;
  networks: Pick<Networks, 'namespacePath' | 'ports'>;
  volumes: Pick<Volumes, 'path'>;
  /** Of the networks that there are, by name. */
  networkIds: ReadonlyMap<string, string>;
}

/** Everything one can see of a container, as of now. */
export function viewOf(container: LiveContainer, context: ViewContext): ContainerView {
  const { record } = container;
  const { paths, driver } = context;
  const started = record.generation > 0;
  const filesOf = record.networkFilesOf || record.id;
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
    logPath: started && driverOf(record.host.logConfig) === 'json-file' ? paths.log(record.id) : '',
    driver,
    get appArmorProfile() {
      return appArmorProfileOf(record);
    },
    endpoints: endpointViews(container, context),
    sandboxPath: sandboxPath(container, context),
    mounts: record.mounts.map((point) => mountView(point, context)),
    resolvConfPath: started ? paths.resolvConf(filesOf) : '',
    hostnamePath: started ? paths.hostname(filesOf) : '',
    hostsPath: started ? paths.hosts(filesOf) : '',
    links: linkTexts(record, context.nameOf),
    linkNames: context.linkNames.get(record.id) ?? [],
    ports: container.task === undefined ? [] : context.networks.ports.of(record.id),
    execIds: [...container.execs],
  };
}

/** As Docker: what was asked for, and once it has been started what it has. */
function appArmorProfileOf({ host, generation }: ContainerRecord): string {
  const asked = askedAppArmor(host.securityOpt);
  return (generation === 0 ? asked : apparmorProfile(asked, host)) ?? '';
}

/** One for each network that it is on, or is to join; what has been on a network keeps its name. */
function endpointViews({ record, task }: LiveContainer, { networkIds }: ViewContext): NetworkEndpointView[] {
  return networksOf(record).map((membership) => {
    const endpoint = endpointOf(membership, task?.endpoints ?? []);
    const id = record.generation > 0 ? networkIds.get(membership.network) : undefined;
    const { networkName = membership.network, networkId = id ?? '' } = endpoint ?? {};
    const names = ['bridge', 'host', 'none'].includes(networkName) ? undefined : namesOf(record, membership);
    return {
      ...endpointView(networkName, networkId, endpoint),
      asked: membership,
      names: endpoint === undefined && task === undefined && record.generation === 0 ? undefined : names,
    };
  });
}

function endpointView(
  networkName: string,
  networkId: string,
  endpoint: Endpoint | undefined,
): Omit<NetworkEndpointView, 'asked' | 'names'> {
  return {
    networkName,
    networkId,
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

function sandboxPath({ id, record, task }: LiveContainer, { networks }: ViewContext): string | undefined {
  if (task === undefined || ownerOf(record.host.networkMode) !== undefined) return undefined;
  return usesOwnNetwork(record.host.networkMode) ? networks.namespacePath(id) : '';
}

function mountView(point: MountPoint, { volumes }: ViewContext): MountView {
  const { type, destination, mode, readWrite } = point;
  const placed = { type, destination, mode, readWrite };
  switch (type) {
    case 'bind':
      return { ...placed, source: point.source, propagation: point.propagation };
    case 'volume':
      return {
        ...placed,
        name: point.name,
        source: volumes.path(point.name),
        ...(point.subpath === '' ? {} : { subpath: point.subpath }),
        driver: 'local',
        propagation: '',
      };
    case 'image':
      return { ...placed, name: point.name, source: point.image.id, propagation: 'rprivate' };
    case 'tmpfs':
      return { ...placed, source: '', propagation: '' };
  }
}
