import { atOnce } from './at-once.ts';
import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { inTurn } from './in-turn.ts';
import { OutsideHost } from './outside-host.ts';
import type { Setting } from './setting.ts';

const CONTAINERS = 100;
const CLIENTS = 8;
const CROWD_RUNS = 2;
const TRAFFIC_RUNS = 5;
const MEGABYTES = 2000;
const CONNECTIONS = 2000;
/** Taken on the host while this bench runs. */
const FIRST_PORT = 41_801;

/** 100 `run -d` in a user-defined network, from 8 shells at a time. */
export async function userNetworkBench(setting: Setting): Promise<BenchRow> {
  const image = await setting.busybox();
  const network = `bench-network-${process.pid}`;
  const names = Array.from({ length: CONTAINERS }, (_, number) => `${network}-${number}`);
  const client = (endpoint: Endpoint, args: readonly string[]) =>
    setting.runClient(setting.clientOf(endpoint), endpoint, args);
  const work = async (endpoint: Endpoint): Promise<number> => {
    client(endpoint, ['network', 'create', network]);
    const started = performance.now();
    await atOnce(names, CLIENTS, (name) =>
      setting.runOwnClient(endpoint, [
        'run',
        '-d',
        '--name',
        name,
        '--network',
        network,
        image,
        'sleep',
        '9999',
      ]),
    );
    const took = performance.now() - started;
    client(endpoint, ['rm', '-f', ...names]);
    client(endpoint, ['network', 'rm', network]);
    return took;
  };
  for (const endpoint of setting.endpoints)
    setting.undoLater(`the containers of ${network}`, async () => {
      for (const name of names) await endpoint.removeContainer(name);
    });
  const contestants = setting.endpoints.map((endpoint) => ({ work: () => work(endpoint) }));
  const [sampan = [], other] = await inTurn(contestants, setting.options.runs ?? CROWD_RUNS);
  const what = `${CONTAINERS} \`run -d\` in a user-defined network from ${CLIENTS} clients`;
  return { what, unit: 'ms', sampan, other, otherName: 'Docker', goal: 1 / 8 };
}

/** Through a published port, from a host outside (a network namespace of its own): bytes, and connections that each begin anew. */
export async function trafficBench(setting: Setting): Promise<BenchRow[]> {
  const image = await setting.busybox();
  const outside = OutsideHost.open((what, undo) => setting.undoLater(what, undo));
  const ports = new Map<Endpoint, number>();
  for (const [at, endpoint] of setting.endpoints.entries()) {
    const port = FIRST_PORT + 2 * at;
    ports.set(endpoint, port);
    await serve(setting, endpoint, { image, port });
  }
  const times = async (mode: 'bytes' | 'connections', goal: number, what: string): Promise<BenchRow> => {
    const contestants = setting.endpoints.map((endpoint) => ({
      work: () => outside.time(mode, (ports.get(endpoint) ?? 0) + (mode === 'bytes' ? 0 : 1), CONNECTIONS),
    }));
    const [sampan = [], other] = await inTurn(contestants, setting.options.runs ?? TRAFFIC_RUNS);
    return { what, unit: 'ms', sampan, other, otherName: 'Docker', goal };
  };
  return [
    await times('bytes', 1, `${MEGABYTES} MB through a published port, from outside`),
    await times('connections', 1, `${CONNECTIONS} connections through a published port, from outside`),
  ];
}

/** Port 80 sends bytes; port 81 speaks HTTP, and has nothing to give. */
async function serve(
  setting: Setting,
  endpoint: Endpoint,
  { image, port }: { image: string; port: number },
): Promise<void> {
  const name = `bench-traffic-${process.pid}`;
  setting.undoLater(name, () => endpoint.removeContainer(name));
  const bytes = `busybox nc -ll -p 80 -e busybox dd if=/dev/zero bs=1M count=${MEGABYTES}`;
  setting.runClient(setting.clientOf(endpoint), endpoint, [
    'run',
    '-d',
    '--name',
    name,
    '-p',
    `${port}:80`,
    '-p',
    `${port + 1}:81`,
    image,
    'sh',
    '-c',
    `${bytes} & busybox httpd -f -p 81 -h /etc`,
  ]);
  await Bun.sleep(500);
}
