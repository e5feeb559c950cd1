import type { RuntimeSpec } from '../runtime-spec.ts';
import { cgroupVersion } from '../task-cgroup.ts';
import { buildSpec } from './build-spec.ts';

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

/** Nothing asked for: what `docker run` alone gives. */
export const plainHostOptions: Parameters<typeof buildSpec>[0]['host'] = {
  privileged: false,
  readonlyRootfs: false,
  capAdd: [],
  capDrop: [],
  securityOpt: [],
  groupAdd: [],
  tmpfs: {},
  networkMode: '',
  pidMode: '',
  ipcMode: '',
  utsMode: '',
  cgroupnsMode: '',
  shmSizeBytes: 0,
  sysctls: {},
  ulimits: [],
  oomScoreAdj: 0,
  oomKillDisable: false,
  consoleSize: [0, 0],
  maskedPaths: undefined,
  readonlyPaths: undefined,
  cgroupParent: '',
  annotations: {},
  resources: {
    memoryBytes: 0n,
    memoryReservationBytes: 0n,
    memorySwapBytes: 0n,
    cpuShares: 0,
    nanoCpus: 0n,
    cpuPeriodUs: 0,
    cpuQuotaUs: 0,
    cpusetCpus: '',
    cpusetMems: '',
    blkioWeight: 0,
    pidsLimit: 0,
  },
};
