import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { type CgroupHost, cgroupFolder } from '../../sys/cgroup.ts';
import { nowNano, processStartTicks } from '../../sys/clock.ts';
import type {
  BlockIoEntry,
  ContainerSample,
  CpuSample,
  InterfaceSample,
  MemorySample,
} from './container-stats.ts';

export interface SampleTarget {
  id: string;
  pid: number;
  startTicks: number;
  /** Whether it has a network of its own. */
  network: boolean;
}

/** USER_HZ, 100 on every Linux. */
const TICK_NANO = 10_000_000n;
const BLOCK_IO = [
  ['io_service_bytes_recursive', 'blkio.throttle.io_service_bytes_recursive'],
  ['io_serviced_recursive', 'blkio.throttle.io_serviced_recursive'],
  ['io_queue_recursive', 'blkio.io_queued_recursive'],
  ['io_service_time_recursive', 'blkio.io_service_time_recursive'],
  ['io_wait_time_recursive', 'blkio.io_wait_time_recursive'],
  ['io_merged_recursive', 'blkio.io_merged_recursive'],
  ['io_time_recursive', 'blkio.time_recursive'],
  ['sectors_recursive', 'blkio.sectors_recursive'],
] as const;

/** Reads figures of containers off the kernel; `root` stands in for `/` in tests. Synchronous: for a thread of its own. */
export class SampleReader {
  readonly #host: CgroupHost;
  readonly #root: string;

  constructor(host: CgroupHost, root = '/') {
    this.#host = host;
    this.#root = root;
  }

  /** Undefined: it is gone. */
  read({ pid, startTicks, network }: SampleTarget, machine = this.machine()): ContainerSample | undefined {
    const folders = this.#folders(pid);
    if (folders === undefined) return undefined;
    const folder = (controller: string): string =>
      folders.get(controller) ?? folders.get('') ?? '/nonexistent';
    const v2 = this.#host.version === '2';
    const figures = v2 ? unified(folder('')) : legacy(folder);
    const sample: ContainerSample = {
      timeNano: nowNano(),
      cgroupVersion: this.#host.version,
      ...figures,
      cpu: { ...figures.cpu, ...machine },
      networks: network ? this.#networks(pid) : undefined,
    };
    // What was read was its own only if it is still there.
    return this.#root !== '/' || processStartTicks(pid) === startTicks ? sample : undefined;
  }

  /** The same for all that are read together. */
  machine(): Pick<CpuSample, 'systemNano' | 'onlineCpus'> {
    const lines = readOrEmpty(join(this.#root, 'proc/stat')).split('\n');
    const fields = (lines[0] ?? '').trim().split(/\s+/).slice(1, 9);
    const ticks = fields.reduce((sum, field) => sum + BigInt(field), 0n);
    return { systemNano: ticks * TICK_NANO, onlineCpus: lines.filter((line) => /^cpu\d/.test(line)).length };
  }

  /** By controller; '' is the unified hierarchy. */
  #folders(pid: number): Map<string, string> | undefined {
    const text = readOrEmpty(join(this.#root, `proc/${pid}/cgroup`));
    if (text === '') return undefined;
    const { hierarchies, unified } = this.#host;
    const folders = new Map<string, string>();
    for (const line of text.trimEnd().split('\n')) {
      const [, names = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      if (names === '' && unified !== undefined) folders.set('', cgroupFolder(unified, path));
      for (const name of names.split(',').filter((one) => one !== '')) {
        const hierarchy = hierarchies.find(({ controllers }) => controllers.includes(name));
        if (hierarchy !== undefined) folders.set(name, cgroupFolder(hierarchy, path));
      }
    }
    return folders;
  }

  #networks(pid: number): Record<string, InterfaceSample> {
    const networks: Record<string, InterfaceSample> = {};
    for (const line of readOrEmpty(join(this.#root, `proc/${pid}/net/dev`))
      .split('\n')
      .slice(2)) {
      const [, name, rest = ''] = /^\s*([^:\s]+):(.*)$/.exec(line) ?? [];
      if (name === undefined || name === 'lo') continue;
      const field = rest.trim().split(/\s+/).map(BigInt);
      const at = (index: number): bigint => field[index] ?? 0n;
      networks[name] = {
        rxBytes: at(0),
        rxPackets: at(1),
        rxErrors: at(2),
        rxDropped: at(3),
        txBytes: at(8),
        txPackets: at(9),
        txErrors: at(10),
        txDropped: at(11),
      };
    }
    return networks;
  }
}

type Figures = Pick<ContainerSample, 'memory' | 'blockIo' | 'pids'> & {
  cpu: Omit<CpuSample, 'systemNano' | 'onlineCpus'>;
};

function legacy(folder: (controller: string) => string): Figures {
  const [cpuacct, cpu] = [folder('cpuacct'), pairs(join(folder('cpu'), 'cpu.stat'))];
  const usage = pairs(join(cpuacct, 'cpuacct.stat'));
  const perCpu = readOrEmpty(join(cpuacct, 'cpuacct.usage_percpu')).trim();
  return {
    cpu: {
      totalNano: number(join(cpuacct, 'cpuacct.usage')) ?? 0n,
      perCpuNano: perCpu === '' ? [] : perCpu.split(/\s+/).map(BigInt),
      kernelNano: (usage['system'] ?? 0n) * TICK_NANO,
      userNano: (usage['user'] ?? 0n) * TICK_NANO,
      throttling: {
        periods: cpu['nr_periods'] ?? 0n,
        throttledPeriods: cpu['nr_throttled'] ?? 0n,
        throttledNano: cpu['throttled_time'] ?? 0n,
      },
    },
    memory: legacyMemory(folder('memory')),
    blockIo: Object.fromEntries(BLOCK_IO.map(([name, file]) => [name, blockIo(join(folder('blkio'), file))])),
    pids: pids(folder('pids')),
  };
}

function legacyMemory(folder: string): MemorySample {
  return {
    usage: number(join(folder, 'memory.usage_in_bytes')) ?? 0n,
    maxUsage: number(join(folder, 'memory.max_usage_in_bytes')) ?? 0n,
    failures: number(join(folder, 'memory.failcnt')) ?? 0n,
    limit: memoryLimit(number(join(folder, 'memory.limit_in_bytes'))),
    stats: pairs(join(folder, 'memory.stat')),
  };
}

/** `8:0 Read 4096`; the sum over all devices has no device. */
function blockIo(path: string): BlockIoEntry[] {
  return readOrEmpty(path)
    .split('\n')
    .flatMap((line) => {
      const [, major, minor, op = '', value] = /^(\d+):(\d+) (?:(\w+) )?(\d+)$/.exec(line) ?? [];
      return value === undefined
        ? []
        : [{ major: Number(major), minor: Number(minor), op, value: BigInt(value) }];
    });
}

function unified(folder: string): Figures {
  const cpu = pairs(join(folder, 'cpu.stat'));
  const micro = (name: string): bigint => (cpu[name] ?? 0n) * 1000n;
  return {
    cpu: {
      totalNano: micro('usage_usec'),
      perCpuNano: undefined,
      kernelNano: micro('system_usec'),
      userNano: micro('user_usec'),
      throttling: {
        periods: cpu['nr_periods'] ?? 0n,
        throttledPeriods: cpu['nr_throttled'] ?? 0n,
        throttledNano: micro('throttled_usec'),
      },
    },
    memory: {
      usage: number(join(folder, 'memory.current')) ?? 0n,
      maxUsage: undefined,
      failures: pairs(join(folder, 'memory.events'))['oom'] ?? 0n,
      limit: memoryLimit(number(join(folder, 'memory.max'))),
      stats: pairs(join(folder, 'memory.stat')),
    },
    blockIo: { io_service_bytes_recursive: unifiedBlockIo(join(folder, 'io.stat')) },
    pids: pids(folder),
  };
}

/** `8:0 rbytes=1 wbytes=2 rios=3 …`, by the names that Docker has for them. */
function unifiedBlockIo(path: string): BlockIoEntry[] {
  return readOrEmpty(path)
    .split('\n')
    .flatMap((line) => {
      const [, major, minor, rest = ''] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
      const value = (key: string): bigint => BigInt(new RegExp(`\\b${key}=(\\d+)`).exec(rest)?.[1] ?? '0');
      const device = { major: Number(major), minor: Number(minor) };
      if (major === undefined) return [];
      return [
        { ...device, op: 'read', value: value('rbytes') },
        { ...device, op: 'write', value: value('wbytes') },
      ];
    });
}

function pids(folder: string): ContainerSample['pids'] {
  return { current: number(join(folder, 'pids.current')) ?? 0n, limit: number(join(folder, 'pids.max')) };
}

function memoryLimit(limit: bigint | undefined): bigint {
  const total = BigInt(totalmem());
  return limit === undefined || limit > total ? total : limit;
}

/** Undefined for `max`, and where there is no such file. */
function number(path: string): bigint | undefined {
  const text = readOrEmpty(path).trim();
  return /^\d+$/.test(text) ? BigInt(text) : undefined;
}

/** `name value` lines. */
function pairs(path: string): Record<string, bigint> {
  const found: Record<string, bigint> = {};
  for (const line of readOrEmpty(path).split('\n')) {
    const [, name, value] = /^(\w+) (\d+)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found[name] = BigInt(value);
  }
  return found;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
