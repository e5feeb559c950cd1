import { cgroupVersion } from '../cgroups/task-cgroup.ts';
import type { RuntimeSpec } from '../runtime-spec.ts';
import { buildSpec } from './build-spec.ts';
import { plainHostOptions } from './plain-host-options.ts';

/** A container with Docker's defaults that runs `/probe`: what works for it works for most. */
export function probeSpec(rootDirectory: string, cgroupsPath: string): RuntimeSpec {
  const { spec } = buildSpec({
    containerId: 'probe',
    rootDirectory,
    process: {
      args: ['/probe'],
      env: [],
      workingDir: '/',
      user: '',
      terminal: false,
      hostname: 'probe',
      domainname: '',
    },
    host: plainHostOptions,
    binds: [],
    mounts: [],
    namespacePaths: {},
    cgroupParent: '',
    cgroupDriver: 'cgroupfs',
    cgroupVersion: cgroupVersion(),
  });
  return { ...spec, linux: { ...spec.linux, cgroupsPath } };
}
