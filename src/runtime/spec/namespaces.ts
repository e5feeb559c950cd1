import type { IdRange } from '../../sys/id-map.ts';
import type { SpecIdMapping, SpecLinux } from '../runtime-spec.ts';
import { checkSysctls } from './check-sysctls.ts';
import type { SpecInput } from './spec-input.ts';

type Namespace = SpecLinux['namespaces'][number];

/** New namespaces, or those at `namespacePaths`; one that is left out is the host's. */
export function containerNamespaces(input: SpecInput): Namespace[] {
  const { host, namespacePaths: paths } = input;
  const cgroupPrivate =
    host.cgroupnsMode === 'private' || (host.cgroupnsMode === '' && input.cgroupVersion === '2');
  return [
    { type: 'mount' },
    ...(input.userNamespace === undefined ? [] : [{ type: 'user', path: input.userNamespace.path }]),
    ...joined('network', host.networkMode, paths.network),
    ...joined('uts', host.utsMode, paths.uts),
    ...joined('pid', host.pidMode, paths.pid),
    ...joined('ipc', host.ipcMode, paths.ipc),
    ...(cgroupPrivate ? [{ type: 'cgroup' }] : []),
  ];
}

/** What the user namespace at its path has already: runc reads it here only. */
export function idMappings({
  userNamespace,
}: Pick<SpecInput, 'userNamespace'>): Pick<SpecLinux, 'uidMappings' | 'gidMappings'> {
  if (userNamespace === undefined) return {};
  const { uids, gids } = userNamespace.map;
  return { uidMappings: uids.map(mapping), gidMappings: gids.map(mapping) };
}

function mapping({ containerId, hostId, size }: IdRange): SpecIdMapping {
  return { containerID: containerId, hostID: hostId, size };
}

function joined(type: string, mode: string, path: string | undefined): Namespace[] {
  if (mode === 'host') return [];
  return [path === undefined ? { type } : { type, path }];
}

/**
 * Docker's defaults (unprivileged ports and ping) in a network namespace of the container's own, then what was asked for. A user namespace hasn't
 * got all the groups of that range, and the kernel takes no other; nor does it let anybody there set the NIS domain: the name stands in /etc/hosts.
 */
export function containerSysctls(input: SpecInput): Record<string, string> {
  const { host, process } = input;
  checkSysctls(host.sysctls, host);
  const ownNetwork = host.networkMode !== 'host' && !host.networkMode.startsWith('container:');
  return {
    ...(ownNetwork
      ? {
          'net.ipv4.ip_unprivileged_port_start': '0',
          ...(input.userNamespace === undefined ? { 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
        }
      : {}),
    ...(process.domainname !== '' && host.utsMode !== 'host' && input.userNamespace === undefined
      ? { 'kernel.domainname': process.domainname }
      : {}),
    ...host.sysctls,
  };
}
