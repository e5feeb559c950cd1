import { commandOf } from '../containers/command.ts';
import type { HostOptions } from '../containers/container.ts';
import type { SpecContext } from '../containers/dependencies.ts';
import type { ReadyMount } from '../containers/mounts/ready-mounts.ts';
import { ownerOf } from '../containers/namespaces/namespace-modes.ts';
import { applyEdits } from '../runtime/cdi/apply-edits.ts';
import type { CdiRegistry } from '../runtime/cdi/cdi-registry.ts';
import { requestedDevices } from '../runtime/cdi/requested-devices.ts';
import { findInitProgram } from '../runtime/probe/init-program.ts';
import type { RuntimeSpec, SpecMount } from '../runtime/runtime-spec.ts';
import { buildSpec } from '../runtime/spec/build-spec.ts';
import { resolveInRoot } from '../runtime/spec/root-path.ts';
import type { SpecBind, SpecInput } from '../runtime/spec/spec-input.ts';
import { makeDirectories } from '../snapshots/make-directories.ts';
import { layOutRoot } from '../snapshots/root-layout.ts';
import { type Ids, rootOf } from '../sys/id-map.ts';

const INIT_PATH = '/sbin/docker-init';

export interface SpecHost {
  /** Cgroup below which this daemon's containers live, `/sampan-x`. */
  cgroupParent: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  cgroupVersion: '1' | '2';
  /** Whether an init goes before the command where a container says neither yes nor no, and which. */
  init: boolean;
  initPath: string | undefined;
  /** `--security-opt`s before those of a container. */
  security: readonly string[];
  onWarning: (warning: string) => void;
  cdi: CdiRegistry;
}

/** Join what a container's record says with what its start has prepared: the OCI spec. */
export async function containerSpec(context: SpecContext, host: SpecHost): Promise<RuntimeSpec> {
  const { record, rootDirectory, namespaces, sharedMemory, paths } = context;
  const { config } = record;
  const init = usesInit(record.host, host) ? (host.initPath ?? findInitProgram()) : undefined;
  const mounts = [...networkFileMounts(paths, record.networkFilesOf || record.id), ...initMounts(init)];
  const owner = record.idMap === undefined ? undefined : rootOf(record.idMap);
  layOutRoot(rootDirectory, owner);
  makeVolumeFolders(rootDirectory, config.volumes, owner);
  const { spec, warnings } = buildSpec({
    containerId: record.id,
    rootDirectory,
    process: {
      args: [...(init === undefined ? [] : [INIT_PATH, '--']), ...commandOf(config)],
      env: config.env,
      workingDir: config.workingDir,
      user: config.user,
      terminal: config.tty,
      hostname: config.hostname,
      domainname: config.domainname,
    },
    host: { ...record.host, tmpfs: { ...tmpfsMounts(context.mounts), ...record.host.tmpfs } },
    binds: context.mounts.flatMap(bindOf),
    mounts,
    namespacePaths: namespaces,
    userNamespace: userNamespaceOf(context),
    sharedMemory,
    cgroupParent: host.cgroupParent,
    cgroupDriver: host.cgroupDriver,
    cgroupVersion: host.cgroupVersion,
    // Its own words only take a privileged one's freedom to call what it likes.
    securityDefaults: host.security.filter((one) => !record.host.privileged || !one.startsWith('seccomp=')),
  });
  for (const warning of warnings) host.onWarning(warning);
  const names = requestedDevices(record.host.hardware?.requests ?? [], host.cdi);
  return names.length === 0 ? spec : host.cdi.edits(names).reduce(applyEdits, spec);
}

/** Where the processes are the host's, or another container's, there is a first one already. */
function usesInit({ init, pidMode }: HostOptions, host: SpecHost): boolean {
  return (init ?? host.init) && pidMode !== 'host' && ownerOf(pidMode) === undefined;
}

function initMounts(init: string | undefined): SpecMount[] {
  if (init === undefined) return [];
  return [{ destination: INIT_PATH, type: 'bind', source: init, options: ['bind', 'ro'] }];
}

function networkFileMounts(paths: SpecContext['paths'], id: string): SpecMount[] {
  const options = ['rbind', 'rprivate'];
  return [
    { destination: '/etc/resolv.conf', type: 'bind', source: paths.resolvConf(id), options },
    { destination: '/etc/hostname', type: 'bind', source: paths.hostname(id), options },
    { destination: '/etc/hosts', type: 'bind', source: paths.hosts(id), options },
  ];
}

/** Also where something else is mounted in a volume's place: programs rely on it being there. */
function makeVolumeFolders(root: string, volumes: readonly string[], owner: Ids | undefined): void {
  for (const volume of volumes) makeDirectories(resolveInRoot(root, volume), owner);
}

function userNamespaceOf({ record, userNamespace }: SpecContext): SpecInput['userNamespace'] {
  const { idMap } = record;
  if (idMap === undefined || userNamespace === undefined) return undefined;
  return { path: userNamespace, map: idMap };
}

function tmpfsMounts(mounts: readonly ReadyMount[]): Record<string, string> {
  return Object.fromEntries(
    mounts.flatMap(({ point }) => (point.type === 'tmpfs' ? [[point.destination, point.options]] : [])),
  );
}

function bindOf({ point, source, found }: ReadyMount): SpecBind[] {
  if (point.type === 'tmpfs') return [];
  const { destination, readWrite } = point;
  const bind = { source, destination, readOnly: !readWrite, found };
  if (point.type !== 'bind') return [bind];
  const { propagation, propagationImplied, nonRecursive, readOnlyBelow } = point;
  return [{ ...bind, propagation, propagationImplied, nonRecursive, readOnlyBelow }];
}
