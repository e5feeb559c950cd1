import { existsSync } from 'node:fs';
import { type BlockHost, blockHost, blockLimits, possibleBlockLimits } from './block-limits.ts';
import type { DeviceRule } from './devices.ts';
import type { HardwareOptions } from './hardware-options.ts';
import type { SpecResources } from './spec-input.ts';

export interface ResourceHost {
  cgroupVersion: '1' | '2';
  swapLimit: boolean;
  blkioWeight: boolean;
  block: BlockHost;
}

const CGROUP = '/sys/fs/cgroup';
const CPU_PERIOD_US = 100_000;
const NANO = 1_000_000_000n;

export function resourceHost(cgroupVersion: '1' | '2'): ResourceHost {
  if (cgroupVersion === '2')
    return { cgroupVersion, swapLimit: true, blkioWeight: true, block: blockHost('2') };
  return {
    cgroupVersion,
    swapLimit: existsSync(`${CGROUP}/memory/memory.memsw.limit_in_bytes`),
    blkioWeight: ['weight', 'bfq.weight'].some((name) => existsSync(`${CGROUP}/blkio/blkio.${name}`)),
    block: blockHost(cgroupVersion),
  };
}

export type ResourceWish = SpecResources & {
  oomKillDisable: boolean;
  rules: DeviceRule[];
  hardware?: HardwareOptions | undefined;
};

/** `linux.resources`, and what had to be left out, in Docker's words. */
export function containerResources(
  wish: ResourceWish,
  host: ResourceHost,
): { resources: Record<string, unknown>; warnings: string[] } {
  const warnings: string[] = [];
  const memory = memoryOf(wish, host, warnings);
  const cpu = cpuOf(wish);
  const weight = blkioWeightOf(wish, host, warnings);
  const blockIO = blockIOOf(weight, wish, host);
  if (wish.hardware !== undefined) warnings.push(...possibleBlockLimits(wish.hardware, host.block).warnings);
  return {
    resources: {
      devices: wish.rules,
      ...(Object.keys(memory).length === 0 ? {} : { memory }),
      ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
      ...(wish.pidsLimit > 0 ? { pids: { limit: wish.pidsLimit } } : {}),
      ...(Object.keys(blockIO).length === 0 ? {} : { blockIO }),
    },
    warnings,
  };
}

/** Which limits a change touches; the runtime needs those beside it too, since some are one file of the kernel's. */
type ChangedResources = Omit<SpecResources, 'pidsLimit' | 'memorySwappiness'> & {
  pidsLimit: number | undefined;
};

/** `linux.resources` for a task that runs: of `all`, which it is to have, the groups that `change` touches. */
export function updatedResources(
  change: ChangedResources,
  all: SpecResources,
  host: ResourceHost,
): { resources: Record<string, unknown>; warnings: string[] } {
  const wish = { ...all, oomKillDisable: false, rules: [] };
  const { resources, warnings } = containerResources(wish, host);
  const { memoryBytes, memorySwapBytes, memoryReservationBytes } = change;
  const ofMemory = [memoryBytes, memorySwapBytes, memoryReservationBytes].some((value) => value !== 0n);
  const { nanoCpus, cpuShares, cpuPeriodUs, cpuQuotaUs, cpusetCpus, cpusetMems } = change;
  const ofCpu = nanoCpus !== 0n || cpuShares !== 0 || cpuPeriodUs !== 0 || cpuQuotaUs !== 0;
  const unlimitedSwap = memorySwapBytes < 0n && host.swapLimit ? { swap: -1 } : {};
  return {
    resources: {
      ...(ofMemory ? { memory: { ...(resources['memory'] as object | undefined), ...unlimitedSwap } } : {}),
      ...(ofCpu || cpusetCpus !== '' || cpusetMems !== '' ? { cpu: resources['cpu'] } : {}),
      ...(change.pidsLimit === undefined ? {} : { pids: { limit: all.pidsLimit > 0 ? all.pidsLimit : -1 } }),
      ...(change.blkioWeight > 0 && host.blkioWeight ? { blockIO: resources['blockIO'] } : {}),
    },
    warnings,
  };
}

function memoryOf(
  wish: SpecResources & { oomKillDisable: boolean },
  host: ResourceHost,
  warnings: string[],
): Record<string, number | boolean> {
  const limit = wish.memoryBytes;
  const swap = wish.memorySwapBytes === 0n ? limit * 2n : wish.memorySwapBytes;
  if (limit > 0n && swap > 0n && !host.swapLimit) {
    warnings.push(
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    );
  }
  warnings.push(...swappinessWarnings(wish, host), ...oomKillWarnings(wish, host));
  return {
    ...(limit > 0n ? { limit: Number(limit) } : {}),
    ...(wish.memoryReservationBytes > 0n ? { reservation: Number(wish.memoryReservationBytes) } : {}),
    ...(limit > 0n && swap > 0n && host.swapLimit ? { swap: Number(swap) } : {}),
    ...(wish.memorySwappiness >= 0 && host.cgroupVersion === '1'
      ? { swappiness: wish.memorySwappiness }
      : {}),
    ...(wish.oomKillDisable && host.cgroupVersion === '1' ? { disableOOMKiller: true } : {}),
  };
}

function swappinessWarnings({ memorySwappiness }: SpecResources, { cgroupVersion }: ResourceHost): string[] {
  if (memorySwappiness < 0 || cgroupVersion === '1') return [];
  return [
    'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
  ];
}

function oomKillWarnings(
  { oomKillDisable, memoryBytes }: SpecResources & { oomKillDisable: boolean },
  { cgroupVersion }: ResourceHost,
): string[] {
  if (!oomKillDisable) return [];
  if (cgroupVersion === '2')
    return ['Your kernel does not support OomKillDisable. OomKillDisable discarded.'];
  return memoryBytes > 0n
    ? []
    : [
        'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
      ];
}

function blockIOOf(
  weight: number | undefined,
  { hardware }: ResourceWish,
  { block }: ResourceHost,
): Record<string, unknown> {
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(hardware === undefined ? {} : blockLimits(hardware, block)),
  };
}

function cpuOf(wish: ResourceWish): Record<string, number | string> {
  const { realtimePeriodUs = 0, realtimeRuntimeUs = 0 } = wish.hardware ?? {};
  const byNano = wish.nanoCpus > 0n;
  const period = byNano ? CPU_PERIOD_US : wish.cpuPeriodUs;
  const quota = byNano ? Number((wish.nanoCpus * BigInt(CPU_PERIOD_US)) / NANO) : wish.cpuQuotaUs;
  return {
    ...(wish.cpuShares > 0 ? { shares: wish.cpuShares } : {}),
    ...(quota === 0 ? {} : { quota }),
    ...(period > 0 ? { period } : {}),
    ...(realtimePeriodUs > 0 ? { realtimePeriod: realtimePeriodUs } : {}),
    ...(realtimeRuntimeUs > 0 ? { realtimeRuntime: realtimeRuntimeUs } : {}),
    ...(wish.cpusetCpus === '' ? {} : { cpus: wish.cpusetCpus }),
    ...(wish.cpusetMems === '' ? {} : { mems: wish.cpusetMems }),
  };
}

function blkioWeightOf(wish: SpecResources, host: ResourceHost, warnings: string[]): number | undefined {
  if (wish.blkioWeight <= 0) return undefined;
  if (host.blkioWeight) return wish.blkioWeight;
  warnings.push(
    'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
  );
  return undefined;
}
