import type { ContainerStatsAnswer } from '../../client/model.ts';
import { binarySize, humanSize } from './human-size.ts';
import { Struct } from './template/value.ts';

export const STATS_HEADERS = {
  ID: 'CONTAINER ID',
  Container: 'CONTAINER',
  Name: 'NAME',
  CPUPerc: 'CPU %',
  MemUsage: 'MEM USAGE / LIMIT',
  MemPerc: 'MEM %',
  NetIO: 'NET I/O',
  BlockIO: 'BLOCK I/O',
  PIDs: 'PIDS',
};

export const STATS_TABLE =
  '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}';

export interface StatsLine {
  /** What the user called it, or its ID. */
  container: string;
  /** Undefined: nothing has come yet, or it could not be had. */
  stats: ContainerStatsAnswer | undefined;
}

/** One line of `stats`, reckoned as Docker's client does. */
export function statsRow({ container, stats }: StatsLine, options: { truncate: boolean }): Struct {
  const shown =
    (text: (stats: ContainerStatsAnswer) => string, none = '--') =>
    () =>
      stats === undefined ? none : text(stats);
  const id = stats?.id ?? '';
  return new Struct('*formatter.statsContext', {
    BlockIO: shown(
      ({ blkio_stats }) => pair(blockIo(blkio_stats?.io_service_bytes_recursive ?? [])),
      '-- / --',
    ),
    CPUPerc: shown((one) => percent(cpuShare(one))),
    Container: () => container,
    ID: () => (options.truncate ? id.slice(0, 12) : id),
    MemPerc: shown((one) => percent(memoryShare(one))),
    MemUsage: shown(
      (one) => `${binarySize(memoryUsage(one))} / ${binarySize(one.memory_stats?.limit ?? 0)}`,
      '-- / --',
    ),
    Name: () => stats?.name?.replace(/^\//, '') ?? '--',
    NetIO: shown((one) => pair(network(one)), '-- / --'),
    PIDs: shown(({ pids_stats }) => String(pids_stats?.current ?? 0)),
  });
}

function pair([first, second]: readonly [number, number]): string {
  return `${humanSize(first, 3)} / ${humanSize(second, 3)}`;
}

function percent(share: number): string {
  return `${share.toFixed(2)}%`;
}

/** Of one processor: more than 100 where several were used. */
export function cpuShare({ cpu_stats: now, precpu_stats: before }: ContainerStatsAnswer): number {
  const used = Number(now?.cpu_usage?.total_usage ?? 0) - Number(before?.cpu_usage?.total_usage ?? 0);
  const passed = Number(now?.system_cpu_usage ?? 0) - Number(before?.system_cpu_usage ?? 0);
  const cpus = now?.online_cpus || now?.cpu_usage?.percpu_usage?.length || 0;
  return used > 0 && passed > 0 ? (used / passed) * cpus * 100 : 0;
}

/** Without what the kernel would give back at once. */
export function memoryUsage({ memory_stats: memory }: ContainerStatsAnswer): number {
  const usage = Number(memory?.usage ?? 0);
  const inactive = Number(memory?.stats?.['total_inactive_file'] ?? memory?.stats?.['inactive_file'] ?? 0);
  return inactive < usage ? usage - inactive : usage;
}

function memoryShare(stats: ContainerStatsAnswer): number {
  const limit = Number(stats.memory_stats?.limit ?? 0);
  return limit === 0 ? 0 : (memoryUsage(stats) / limit) * 100;
}

function network({ networks }: ContainerStatsAnswer): [received: number, sent: number] {
  const all = Object.values(networks ?? {});
  return [sum(all.map((one) => one.rx_bytes)), sum(all.map((one) => one.tx_bytes))];
}

function blockIo(
  entries: readonly { op: string; value: number | bigint }[],
): [read: number, written: number] {
  const of = (letter: string) =>
    sum(entries.filter(({ op }) => op.toLowerCase().startsWith(letter)).map(({ value }) => value));
  return [of('r'), of('w')];
}

function sum(values: readonly (number | bigint)[]): number {
  return values.reduce<number>((total, value) => total + Number(value), 0);
}
