import { setTimeout as sleep } from 'node:timers/promises';
import { atOnce } from './at-once.ts';
import { smallRoot } from './bench-image.ts';
import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import { PeerDaemon } from './peer-daemon.ts';
import { cpuMilliseconds, daemonFamily, monitorsOf, socketOwner } from './process-memory.ts';
import type { Setting } from './setting.ts';

const DEFAULT_RUNS = 5;
const STOPPED = 200;
const RUNNING = 50;
const IMAGES = 100;
const CLIENTS = 8;
const SETTLE_MS = 20_000;
const IDLE_MS = 60_000;

/**
 * From starting a daemon over existing roots to its first answered ping, with nothing there and with much; then what the latter costs at rest.
 *
 * @throws Error when the daemon isn't the bench's own.
 */
export async function startBench(setting: Setting): Promise<BenchRow[]> {
  const daemon = setting.ownDaemon;
  if (daemon === undefined) throw new Error('the daemon named by --socket is not ours to restart');
  const { peerCommand } = setting.options;
  const peer =
    setting.peer === undefined || peerCommand === undefined
      ? undefined
      : new PeerDaemon(setting.peer, peerCommand);
  // Whatever its command line was before.
  await peer?.restart();
  const restarts = [daemon, peer].filter((one) => one !== undefined);
  const endpoints = [setting.sampan, ...(peer === undefined ? [] : [peer.endpoint])];
  const compare = async (what: string): Promise<BenchRow> => {
    const contestants = restarts.map(
      (one): Contestant => ({ before: () => one.stop(), work: () => one.startAgain() }),
    );
    const [sampan = [], other] = await inTurn(contestants, setting.options.runs ?? DEFAULT_RUNS);
    return { what, unit: 'ms', sampan, other, otherName: 'Docker', goal: 1 / 3 };
  };
  const rows = [await compare('start of the daemon until its first answer')];
  try {
    for (const endpoint of endpoints) await fill(endpoint, await setting.busybox());
    const there = `${STOPPED} stopped and ${RUNNING} running containers, ${IMAGES} images`;
    rows.push(await compare(`the same with ${there}`));
    rows.push(await idleCpu(setting, endpoints));
  } finally {
    for (const endpoint of endpoints) await empty(endpoint);
  }
  return rows;
}

const name = (kind: string, number: number): string => `bench-start-${kind}-${process.pid}-${number}`;
const count = (length: number): number[] => Array.from({ length }, (_, number) => number);

async function fill(endpoint: Endpoint, image: string): Promise<void> {
  await atOnce(count(IMAGES), CLIENTS, (number) =>
    smallRoot(number).then((tar) => endpoint.importTar(`${name('image', number)}:1`, tar)),
  );
  await atOnce(count(STOPPED), CLIENTS, (number) =>
    endpoint.startContainer(name('stopped', number), image, ['true']),
  );
  await atOnce(count(RUNNING), CLIENTS, (number) =>
    endpoint.startContainer(name('running', number), image, ['sleep', '100000']),
  );
}

async function empty(endpoint: Endpoint): Promise<void> {
  await atOnce(count(STOPPED), CLIENTS, (number) => endpoint.removeContainer(name('stopped', number)));
  await atOnce(count(RUNNING), CLIENTS, (number) => endpoint.removeContainer(name('running', number)));
  await atOnce(count(IMAGES), CLIENTS, (number) => endpoint.removeImage(`${name('image', number)}:1`));
}

/** Processor time of the daemon, its helpers and the monitors in a minute in which nothing is asked of them. */
async function idleCpu(setting: Setting, endpoints: readonly Endpoint[]): Promise<BenchRow> {
  await sleep(SETTLE_MS);
  const families = endpoints.map((endpoint) => {
    const own = endpoint === setting.sampan;
    const pid = own ? setting.sampanPid() : socketOwner(endpoint.socketPath);
    const monitors = monitorsOf(pid, own ? (setting.ownDaemon?.execRoot ?? '') : undefined);
    return [...new Set([...daemonFamily(pid), ...monitors])];
  });
  const before = families.map(cpuMilliseconds);
  await sleep(IDLE_MS);
  const [sampan = 0, other] = families.map((pids, at) => cpuMilliseconds(pids) - (before[at] ?? 0));
  return {
    what: `processor time in a minute at rest, with ${RUNNING} running containers`,
    unit: 'ms',
    sampan: [sampan],
    other: other === undefined ? undefined : [other],
    otherName: 'Docker',
    goal: 1,
  };
}
