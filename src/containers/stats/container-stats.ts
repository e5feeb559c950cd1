/** What a container uses, at one moment. Counters may pass 2^53, so all of them are bigint; times in nanoseconds, sizes in bytes. */
export interface ContainerSample {
  timeNano: bigint;
  cgroupVersion: '1' | '2';
  cpu: CpuSample;
  memory: MemorySample;
  /** Docker's lists by name (`io_service_bytes_recursive`); those that this kernel hasn't got are left out. */
  blockIo: Record<string, BlockIoEntry[]>;
  pids: { current: bigint; limit: bigint | undefined };
  /** By interface; undefined: it has no network of its own. */
  networks: Record<string, InterfaceSample> | undefined;
}

export interface CpuSample {
  totalNano: bigint;
  /** By processor; version 1 only. */
  perCpuNano: bigint[] | undefined;
  kernelNano: bigint;
  userNano: bigint;
  /** Of the whole machine. */
  systemNano: bigint;
  onlineCpus: number;
  throttling: { periods: bigint; throttledPeriods: bigint; throttledNano: bigint };
}

export interface MemorySample {
  usage: bigint;
  maxUsage: bigint | undefined;
  failures: bigint;
  /** The machine's memory where the container may have more. */
  limit: bigint;
  stats: Record<string, bigint>;
}

export interface BlockIoEntry {
  major: number;
  minor: number;
  op: string;
  value: bigint;
}

export interface InterfaceSample {
  rxBytes: bigint;
  rxPackets: bigint;
  rxErrors: bigint;
  rxDropped: bigint;
  txBytes: bigint;
  txPackets: bigint;
  txErrors: bigint;
  txDropped: bigint;
}

/** A sample and the one before it, from which a share of the processors is told. */
export interface ContainerStats {
  id: string;
  name: string;
  /** Undefined: it does not run. */
  current: ContainerSample | undefined;
  previous: ContainerSample | undefined;
}
