import { existsSync, statSync } from 'node:fs';
import { EngineError } from '../../errors/engine-error.ts';
import { deviceNumber } from './devices.ts';
import type { HardwareOptions } from './hardware-options.ts';

export interface BlockHost {
  weightDevice: boolean;
  throttle: boolean;
}

const CGROUP = '/sys/fs/cgroup/blkio';
const THROTTLES = [
  ['readBps', 'throttleReadBpsDevice', 'BPS Block I/O read limit', 'Block I/O BPS read limit'],
  ['writeBps', 'throttleWriteBpsDevice', 'BPS Block I/O write limit', 'Block I/O BPS write limit'],
  ['readIops', 'throttleReadIOPSDevice', 'IOPS Block read limit', 'Block I/O IOPS read limit'],
  ['writeIops', 'throttleWriteIOPSDevice', 'IOPS Block write limit', 'Block I/O IOPS write limit'],
] as const;

export function blockHost(cgroupVersion: '1' | '2'): BlockHost {
  if (cgroupVersion === '2') return { weightDevice: true, throttle: true };
  return {
    weightDevice: ['weight_device', 'bfq.weight_device'].some((name) =>
      existsSync(`${CGROUP}/blkio.${name}`),
    ),
    throttle: existsSync(`${CGROUP}/blkio.throttle.read_bps_device`),
  };
}

/** What of it this host can give, and what Docker says of the rest. */
export function possibleBlockLimits(
  asked: HardwareOptions,
  host: BlockHost,
): { hardware: HardwareOptions; warnings: string[] } {
  const hardware = { ...asked };
  const warnings: string[] = [];
  if (!host.weightDevice && asked.weightDevices.length > 0) {
    hardware.weightDevices = [];
    warnings.push(discarded('Block I/O weight_device', 'Weight-device'));
  }
  for (const [name, , what, short] of THROTTLES) {
    if (host.throttle || asked[name].length === 0) continue;
    hardware[name] = [];
    warnings.push(discarded(what, short));
  }
  return { hardware, warnings };
}

function discarded(what: string, short: string): string {
  return `Your kernel does not support ${what} or the cgroup is not mounted. ${short} discarded.`;
}

/** `linux.resources.blockIO`, the part of single devices. @throws EngineError "invalid" for a device that is not there. */
export function blockLimits(hardware: HardwareOptions, host: BlockHost): Record<string, unknown> {
  const { hardware: possible } = possibleBlockLimits(hardware, host);
  const weights = possible.weightDevices.map(({ path, weight }) => ({ ...numberOf(path), weight }));
  const throttles = THROTTLES.flatMap(([name, key]) => {
    const limits = possible[name].map(({ path, rate }) => ({ ...numberOf(path), rate }));
    return limits.length === 0 ? [] : [[key, limits] as const];
  });
  return { ...(weights.length === 0 ? {} : { weightDevice: weights }), ...Object.fromEntries(throttles) };
}

function numberOf(path: string): { major: number; minor: number } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new EngineError('invalid', `stat ${path}: no such file or directory`);
  return deviceNumber(stat.rdev);
}
