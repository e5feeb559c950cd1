import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import type { Setting } from './setting.ts';

const GOAL = 1 / 3;
const DEFAULT_RUNS = 3;
/** 100 bytes a line, its newline included. */
const LINE =
  'a line of text that a program might print while it works, neither very long nor all too short, ok';
const outputs = [
  ['500 MB of zeros', 'head -c 500000000 /dev/zero'],
  ['300 MB of lines', `yes '${LINE}' | head -c 300000000`],
] as const;
/** The same size for both sides, whatever their defaults keep. */
const KEPT = ['--log-opt', 'max-size=1g'];

/** What a container prints, through `run` to a client that drops it, while it is logged. */
export async function attachBench(setting: Setting): Promise<BenchRow[]> {
  const image = await setting.busybox();
  const rows: BenchRow[] = [];
  for (const [label, command] of outputs) {
    const work = (client: string, endpoint: Endpoint) => () =>
      setting.runClient(
        client,
        endpoint,
        ['run', '--rm', '--network', 'none', ...KEPT, image, 'sh', '-c', command],
        { bulky: true },
      );
    rows.push(await compare(setting, `${label} through \`run\``, work));
  }
  return rows;
}

/** `docker logs` of a log of 300 MB, all of it, and its last second. */
export async function logBench(setting: Setting): Promise<BenchRow[]> {
  const image = await setting.busybox();
  const name = `bench-logs-${process.pid}`;
  const [, [, command]] = outputs;
  const container = ['run', '-d', '--name', name, '--network', 'none', ...KEPT, image, 'sh', '-c', command];
  const sides = [
    { client: setting.sampanCli, endpoint: setting.sampan },
    ...(setting.peer === undefined ? [] : [{ client: setting.dockerCli ?? '', endpoint: setting.peer }]),
  ];
  for (const { client, endpoint } of sides) {
    setting.runClient(client, endpoint, container);
    setting.runClient(client, endpoint, ['wait', name]);
  }
  const work = (args: readonly string[]) => (client: string, endpoint: Endpoint) => () =>
    setting.runClient(client, endpoint, ['logs', ...args, name], { bulky: true });
  try {
    return [
      await compare(setting, '`logs` of 300 MB', work([])),
      await compare(setting, '`logs --tail 10` of 300 MB', work(['--tail', '10'])),
    ];
  } finally {
    for (const { client, endpoint } of sides) setting.runClient(client, endpoint, ['rm', '-f', name]);
  }
}

/** `logs --since` near the end of a log of 1 GB; Sampan alone, since Docker reads the whole file each time. */
export async function logSinceBench(setting: Setting): Promise<BenchRow[]> {
  const image = await setting.busybox();
  const { sampan } = setting;
  const name = `bench-since-${process.pid}`;
  const command = `yes '${LINE}' | head -c 1000000000; sleep 3; echo the end`;
  const container = [
    '--name',
    name,
    '--network',
    'none',
    '--log-opt',
    'max-size=4g',
    image,
    'sh',
    '-c',
    command,
  ];
  try {
    await setting.runOwnClient(sampan, ['run', '-d', ...container]);
    await setting.runOwnClient(sampan, ['wait', name]);
    const since = String(((await sampan.endOf(name)) ?? 0) - 1);
    const work = () => setting.runClient(setting.sampanCli, sampan, ['logs', '--since', since, name]);
    const [ours = []] = await inTurn([{ work }], setting.options.runs ?? DEFAULT_RUNS);
    const what = '`logs --since` of the last second of 1 GB';
    return [{ what, unit: 'ms', sampan: ours, other: undefined, otherName: '', goal: undefined, limit: 100 }];
  } finally {
    await sampan.removeContainer(name);
  }
}

async function compare(
  setting: Setting,
  what: string,
  work: (client: string, endpoint: Endpoint) => Contestant['work'],
): Promise<BenchRow> {
  const { peer, dockerCli } = setting;
  if (peer !== undefined && dockerCli === undefined) throw new Error('Cannot find the stock docker client');
  const ours: Contestant = { work: work(setting.sampanCli, setting.sampan) };
  const theirs: Contestant[] = peer === undefined ? [] : [{ work: work(dockerCli ?? '', peer) }];
  const [sampan = [], other] = await inTurn([ours, ...theirs], setting.options.runs ?? DEFAULT_RUNS);
  return { what, unit: 'ms', sampan, other, otherName: 'Docker', goal: GOAL };
}
