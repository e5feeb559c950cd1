import { mkdir } from 'node:fs/promises';
import { commandOf } from '../containers/command.ts';
import type { HostOptions } from '../containers/container.ts';
import type { SpecContext } from '../containers/dependencies.ts';
import type { ReadyMount } from '../containers/mounts/ready-mounts.ts';
import { findInitProgram } from '../runtime/init-program.ts';
import type { RuntimeSpec, SpecMount } from '../runtime/runtime-spec.ts';
import { buildSpec } from '../runtime/spec/build-spec.ts';
import { layOutRoot } from '../runtime/spec/root-layout.ts';
import { resolveInRoot } from '../runtime/spec/root-path.ts';
import type { SpecBind } from '../runtime/spec/spec-input.ts';

const INIT_PATH = '/sbin/docker-init';

export interface SpecHost {
  /** Cgroup below which this daemon's containers live, `/sampan-x`. */
  cgroupParent: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  cgroupVersion: '1' | '2';
  onWarning: (warning: string) => void;
}

/** Join what a container's record says with what its start has prepared: the OCI spec. */
export async function containerSpec(context: SpecContext, host: SpecHost): Promise<RuntimeSpec> {
  const { record, rootDirectory, networkNamespace, paths } = context;
  const { config } = record;
  const init = usesInit(record.host) ? findInitProgram() : undefined;
  const mounts = [...networkFileMounts(paths, record.id), ...initMounts(init)];
  layOutRoot(rootDirectory);
  await makeVolumeFolders(rootDirectory, config.volumes);
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
    namespacePaths: networkNamespace === undefined ? {} : { network: networkNamespace },
    cgroupParent: host.cgroupParent,
    cgroupDriver: host.cgroupDriver,
    cgroupVersion: host.cgroupVersion,
  });
  for (const warning of warnings) host.onWarning(warning);
  return spec;
}

/** Where the processes are the host's there is an init already. */
function usesInit({ init, pidMode }: HostOptions): boolean {
  return init === true && pidMode !== 'host';
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
async function makeVolumeFolders(root: string, volumes: readonly string[]): Promise<void> {
  for (const volume of volumes) await mkdir(resolveInRoot(root, volume), { recursive: true, mode: 0o755 });
}

function tmpfsMounts(mounts: readonly ReadyMount[]): Record<string, string> {
  return Object.fromEntries(
    mounts.flatMap(({ point }) => (point.type === 'tmpfs' ? [[point.destination, point.options]] : [])),
  );
}

function bindOf({ point, source }: ReadyMount): SpecBind[] {
  if (point.type === 'tmpfs') return [];
  const { destination, readWrite } = point;
  if (point.type !== 'bind') return [{ source, destination, readOnly: !readWrite }];
  const { propagation, nonRecursive, readOnlyBelow } = point;
  return [{ source, destination, readOnly: !readWrite, propagation, nonRecursive, readOnlyBelow }];
}
