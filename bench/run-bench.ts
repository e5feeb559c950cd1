import type { BenchRow } from './bench-row.ts';
import type { Endpoint } from './endpoint.ts';
import { type Contestant, inTurn } from './in-turn.ts';
import type { Setting } from './setting.ts';

const STOCK_GOAL = 1 / 5;
const DEFAULT_RUNS = 15;
const networks = [
  { label: 'bridged', args: ['--network', 'bridge'], goal: 1 / 8 },
  { label: 'no network', args: ['--network', 'none'], goal: 1 / 6 },
  { label: 'with `-p 0:80`', args: ['-p', '0:80'], goal: 1 / 8 },
] as const;

/** `run --rm busybox true` from the shell: each daemon with its own client, or both with the stock one. */
export async function runBench(setting: Setting, clients: 'own' | 'stock'): Promise<BenchRow[]> {
  const { dockerCli: stock, peer } = setting;
  if (clients === 'stock' && stock === undefined) throw new Error('Cannot find the stock docker client');
  if (peer !== undefined && stock === undefined)
    throw new Error('Cannot time the peer: the stock docker client is missing');
  const image = await setting.busybox();
  const rows: BenchRow[] = [];
  for (const { label, args, goal } of networks) {
    const contestant = (client: string, endpoint: Endpoint): Contestant => ({
      work: () => setting.runClient(client, endpoint, ['run', '--rm', ...args, image, 'true']),
    });
    const ours = contestant(clients === 'own' ? setting.sampanCli : (stock ?? ''), setting.sampan);
    const theirs = peer === undefined ? [] : [contestant(stock ?? '', peer)];
    const [sampan = [], other] = await inTurn([ours, ...theirs], setting.options.runs ?? DEFAULT_RUNS);
    const what = `\`run --rm busybox true\`, ${label}, ${clients === 'own' ? 'each with its own client' : 'stock client on both'}`;
    rows.push({
      what,
      unit: 'ms',
      sampan,
      other,
      otherName: 'Docker',
      goal: clients === 'own' ? goal : STOCK_GOAL,
    });
  }
  return rows;
}
