import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { run } from '../../sys/spawn.ts';
import { TaskCgroup } from '../cgroups/task-cgroup.ts';
import { killProcessesOf } from '../conmon/orphans.ts';
import type { RuntimeSpec } from '../runtime-spec.ts';
import { probeSpec } from '../spec/probe-spec.ts';
import type { OciBinary } from './oci-binary.ts';
import { probeProgram } from './probe-program.ts';

/** How long any one call of a program under trial may take. */
export const PROBE_TIMEOUT_MS = 20_000;

export interface ProbePlace {
  /** On tmpfs, ours alone; made when absent. */
  directory: string;
  /** Parent of the probe's cgroup, absolute. */
  cgroupParent: string;
  /** Unique among the probes of this machine. */
  id: string;
}

export interface ProbeBundle {
  id: string;
  directory: string;
  /** The runtime's state directory, of this probe alone. */
  stateDirectory: string;
  spec: RuntimeSpec;
  /** Replace the spec that the next container is made from. */
  write(spec: RuntimeSpec): void;
}

/** Lay out a bundle that runs `probeProgram`, let `work` make containers from it, and remove what is left of them. */
export async function withProbeBundle<T>(
  binary: Pick<OciBinary, 'path'>,
  place: ProbePlace,
  work: (bundle: ProbeBundle) => Promise<T>,
): Promise<T> {
  const { id } = place;
  const directory = join(place.directory, id);
  const cgroupsPath = `${place.cgroupParent}/${id}`;
  const stateDirectory = join(directory, 'state');
  try {
    return await work(prepare({ id, directory, stateDirectory }, cgroupsPath));
  } finally {
    await run([binary.path, `--root=${stateDirectory}`, 'delete', '--force', id], {
      timeoutMs: PROBE_TIMEOUT_MS,
    }).catch(() => undefined);
    await new TaskCgroup(cgroupsPath).remove();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Remove what probes left whose daemon was killed meanwhile. Call it before the first probe of this process. */
export async function removeProbes({ directory, cgroupParent }: Omit<ProbePlace, 'id'>): Promise<void> {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  for (const id of names.filter((name) => /^(probe|seccomp)-\d+$/.test(name))) {
    const left = join(directory, id);
    await killProcessesOf(left);
    await new TaskCgroup(`${cgroupParent}/${id}`).remove();
    rmSync(left, { recursive: true, force: true });
  }
}

function prepare(
  place: Pick<ProbeBundle, 'id' | 'directory' | 'stateDirectory'>,
  cgroupsPath: string,
): ProbeBundle {
  const program = probeProgram(process.arch);
  if (program === undefined) throw new EngineError('unavailable', `no support for ${process.arch}`);
  const rootfs = join(place.directory, 'rootfs');
  mkdirSync(join(rootfs, 'proc'), { recursive: true, mode: 0o755 });
  writeFileSync(join(rootfs, 'probe'), program);
  chmodSync(join(rootfs, 'probe'), 0o755);
  const spec = probeSpec(rootfs, cgroupsPath);
  const write = (changed: RuntimeSpec): void =>
    writeFileSync(join(place.directory, 'config.json'), JSON.stringify(changed));
  write(spec);
  return { ...place, spec, write };
}
