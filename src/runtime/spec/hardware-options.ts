import type { SpecDeviceRequest } from './spec-input.ts';

/** A bound on what passes between a container and one block device: bytes or operations a second. */
export interface BlockLimit {
  path: string;
  rate: number;
}

/** Devices that a driver picks: `--gpus`, and those of CDI. */
export interface DeviceDriverRequest {
  driver: string;
  /** -1: all of them. */
  count: number;
  ids: string[];
  /** Sets of which one must be had whole. */
  capabilities: string[][];
  options: Record<string, string>;
}

/** What a container asks of the host's devices, and of its processors' real time. */
export interface HardwareOptions {
  devices: SpecDeviceRequest[];
  /** `c 1:3 mr`, as `--device-cgroup-rule` has them. */
  cgroupRules: string[];
  requests: DeviceDriverRequest[];
  weightDevices: { path: string; weight: number }[];
  readBps: BlockLimit[];
  writeBps: BlockLimit[];
  readIops: BlockLimit[];
  writeIops: BlockLimit[];
  realtimePeriodUs: number;
  realtimeRuntimeUs: number;
}
