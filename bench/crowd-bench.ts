import { setTimeout as sleep } from 'node:timers/promises';
import { atOnce } from './at-once.ts';
import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import { daemonFamily, memoryOf, monitorsOf, socketOwner } from './process-memory.ts';
import type { Setting } from './setting.ts';

const CONTAINERS = 200;
const CLIENTS = 8;
const DEFAULT_RUNS = 10;
const STATS_RUNS = 3;
const SETTLE_MS = 15_000;

/** Where 200 containers run: `ps`, `stats`, and what each of them costs in memory. */
export async function crowdBench(setting: Setting): Promise<BenchRow[]> {
  const image = await setting.busybox();
  const names = Array.from({ length: CONTAINERS }, (_, number) => `bench-crowd-${process.pid}-${number}`);
  try {
    const memory = [];
    for (const endpoint of setting.endpoints) memory.push(await gather(setting, endpoint, { names, image }));
    const [ours, theirs] = memory;
    const rows: BenchRow[] = [
      {
        what: `memory outside an idle container, of ${CONTAINERS}`,
        unit: 'MB',
        sampan: [ours?.each ?? 0],
        other: theirs === undefined ? undefined : [theirs.each],
        otherName: 'Docker',
        goal: 1 / 8,
        note: memory.map(({ note }) => note).join(' / '),
      },
    ];
    const runs = setting.options.runs ?? DEFAULT_RUNS;
    rows.push(await compare(setting, { args: ['ps'], runs, goal: 1 / 2 }));
    rows.push(await compare(setting, { args: ['stats', '--no-stream'], runs: STATS_RUNS, goal: undefined }));
    return rows;
  } finally {
    for (const endpoint of setting.endpoints)
      await atOnce(names, CLIENTS, (name) => endpoint.removeContainer(name));
  }
}

async function gather(
  setting: Setting,
  endpoint: Endpoint,
  { names, image }: { names: readonly string[]; image: string },
): Promise<{ each: number; note: string }> {
  const before = outside(setting, endpoint);
  await atOnce(names, CLIENTS, (name) => endpoint.startContainer(name, image, ['sleep', '100000']));
  await sleep(SETTLE_MS);
  const after = outside(setting, endpoint);
  const daemon = (after.daemon - before.daemon) / names.length;
  const monitor = (after.monitors - before.monitors) / names.length;
  return { each: daemon + monitor, note: `monitor ${monitor.toFixed(2)} and daemon ${daemon.toFixed(2)}` };
}

/** Megabytes of the daemon with its helpers, and of the monitors. */
function outside(setting: Setting, endpoint: Endpoint): { daemon: number; monitors: number } {
  const own = endpoint === setting.sampan;
  const pid = own ? setting.sampanPid() : (setting.options.peerPids[0] ?? socketOwner(endpoint.socketPath));
  const monitors = monitorsOf(pid, own ? (setting.ownDaemon?.execRoot ?? '') : undefined);
  const family = daemonFamily(pid).filter((other) => !monitors.includes(other));
  return { daemon: megabytes(family), monitors: megabytes(monitors) };
}

function megabytes(pids: readonly number[]): number {
  return memoryOf(pids).reduce((sum, { pssBytes }) => sum + pssBytes, 0) / 1e6;
}

async function compare(
  setting: Setting,
  { args, runs, goal }: { args: readonly string[]; runs: number; goal: number | undefined },
): Promise<BenchRow> {
  const contestant = (endpoint: Endpoint): Contestant => ({
    work: () => setting.runClient(setting.clientOf(endpoint), endpoint, args),
  });
  const [sampan = [], other] = await inTurn(setting.endpoints.map(contestant), runs);
  const what = `\`${args.join(' ')}\` with ${CONTAINERS} containers, each with its own client`;
  return { what, unit: 'ms', sampan, other, otherName: 'Docker', goal };
}
