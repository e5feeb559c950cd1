import type {
  BlockIoEntry,
  ContainerSample,
  ContainerStats,
  CpuSample,
} from '../../containers/stats/container-stats.ts';
import { formatTime, ZERO_TIME } from '../../wire/time.ts';

const BLOCK_IO = [
  'io_service_bytes_recursive',
  'io_serviced_recursive',
  'io_queue_recursive',
  'io_service_time_recursive',
  'io_wait_time_recursive',
  'io_merged_recursive',
  'io_time_recursive',
  'sectors_recursive',
] as const;

const NO_THROTTLING = { periods: 0, throttled_periods: 0, throttled_time: 0 };
const NO_CPU = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: NO_THROTTLING,
};

/** Docker's `StatsResponse`. `anonymous`: without name and id, as a one-shot answer has it. */
export function encodeStats(stats: ContainerStats, { anonymous = false } = {}): object {
  const { id, name, current, previous } = stats;
  return {
    ...(anonymous ? {} : { name: `/${name}`, id }),
    read: current === undefined ? ZERO_TIME : formatTime(current.timeNano),
    preread: previous === undefined ? ZERO_TIME : formatTime(previous.timeNano),
    pids_stats: current === undefined ? {} : encodePids(current),
    blkio_stats: Object.fromEntries(BLOCK_IO.map((list) => [list, encodeBlockIo(current, list)])),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: current === undefined ? NO_CPU : encodeCpu(current.cpu),
    precpu_stats: previous === undefined ? NO_CPU : encodeCpu(previous.cpu),
    memory_stats: current === undefined ? {} : encodeMemory(current),
    ...encodeNetworks(current),
  };
}

function encodePids({ pids }: ContainerSample): object {
  return {
    ...(pids.current === 0n ? {} : { current: pids.current }),
    ...(pids.limit === undefined ? {} : { limit: pids.limit }),
  };
}

function encodeBlockIo(sample: ContainerSample | undefined, list: string): BlockIoEntry[] | null {
  return sample?.blockIo[list] ?? null;
}

function encodeCpu(cpu: CpuSample): object {
  const { periods, throttledPeriods, throttledNano } = cpu.throttling;
  return {
    cpu_usage: {
      total_usage: cpu.totalNano,
      ...(cpu.perCpuNano === undefined || cpu.perCpuNano.length === 0
        ? {}
        : { percpu_usage: cpu.perCpuNano }),
      usage_in_kernelmode: cpu.kernelNano,
      usage_in_usermode: cpu.userNano,
    },
    system_cpu_usage: cpu.systemNano,
    online_cpus: cpu.onlineCpus,
    throttling_data: { periods, throttled_periods: throttledPeriods, throttled_time: throttledNano },
  };
}

function encodeMemory({ memory }: ContainerSample): object {
  const { usage, maxUsage, failures, limit, stats } = memory;
  return {
    usage,
    ...(maxUsage === undefined || maxUsage === 0n ? {} : { max_usage: maxUsage }),
    stats: Object.fromEntries(Object.entries(stats).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ...(failures === 0n ? {} : { failcnt: failures }),
    limit,
  };
}

function encodeNetworks(sample: ContainerSample | undefined): object {
  const networks = Object.entries(sample?.networks ?? {});
  if (networks.length === 0) return {};
  return {
    networks: Object.fromEntries(
      networks.map(([name, one]) => [
        name,
        {
          rx_bytes: one.rxBytes,
          rx_packets: one.rxPackets,
          rx_errors: one.rxErrors,
          rx_dropped: one.rxDropped,
          tx_bytes: one.txBytes,
          tx_packets: one.txPackets,
          tx_errors: one.txErrors,
          tx_dropped: one.txDropped,
        },
      ]),
    ),
  };
}
