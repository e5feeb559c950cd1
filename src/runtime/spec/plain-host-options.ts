import type { HardwareOptions } from './hardware-options.ts';
import type { SpecHostOptions } from './spec-input.ts';

/** Nothing asked for: what `docker run` alone gives. */
export const plainHostOptions: SpecHostOptions = {
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
    memorySwappiness: -1,
  },
};

/** What a request for a device starts from. */
export const noHardware: HardwareOptions = {
  devices: [],
  cgroupRules: [],
  requests: [],
  weightDevices: [],
  readBps: [],
  writeBps: [],
  readIops: [],
  writeIops: [],
  realtimePeriodUs: 0,
  realtimeRuntimeUs: 0,
};
