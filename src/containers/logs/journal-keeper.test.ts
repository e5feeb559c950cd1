import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { EngineError } from '../../errors/engine-error.ts';
import { silentLogger } from '../../errors/logger.ts';
import { JournalKeeper } from './journal-keeper.ts';
import type { JournalLimits } from './journal-limits.ts';
import { JournalRotation } from './journal-rotation.ts';
import { LogFiles } from './log-files.ts';
import { readLog } from './read-log.ts';

let directory = '';
let path = '';
let keeper: JournalKeeper;
let next = 0;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-keeper-'));
  path = join(directory, 'container.log');
  keeper = new JournalKeeper(silentLogger);
  next = 0;
});
afterEach(async () => {
  await keeper.close();
  rmSync(directory, { recursive: true, force: true });
});

const BASE = 1_795_428_000_000_000_000n;
const line = (count: number) => {
  const time = new Date(Number(BASE / 1_000_000n) + count).toISOString().replace('Z', '000000+00:00');
  return `${time} stdout F line ${count}\n`;
};
/** Writes as the monitor does: to the file that it has, until it is told to begin a new one. */
class Monitor {
  #target = path;
  orders = 0;
  /** Whether it does what it is told. */
  obeys = true;

  print(count: number): void {
    if (this.#target === path && this.#moved()) this.#target = `${path}.1`;
    for (let at = 0; at < count; at++) appendFileSync(this.#target, line(next++));
  }

  reopen = async (): Promise<void> => {
    this.orders++;
    if (!this.obeys) return;
    writeFileSync(path, '');
    this.#target = path;
  };

  #moved(): boolean {
    return !existsSync(path) && existsSync(`${path}.1`);
  }
}

const limits = (change: Partial<JournalLimits> = {}): JournalLimits => ({
  maxFileBytes: 1000,
  maxFiles: 4,
  compress: false,
  ...change,
});
async function shown(request: { tail?: number; sinceNano?: bigint } = {}): Promise<number[]> {
  const all = {
    stdout: true,
    stderr: true,
    follow: false,
    untilNano: undefined,
    tail: undefined,
    sinceNano: undefined,
  };
  const source = { files: new LogFiles(path), ended: Promise.resolve() };
  const batches = await Array.fromAsync(readLog(source, { ...all, ...request }, AbortSignal.timeout(5000)));
  return batches.flat().map(({ data }) => Number(Buffer.from(data).toString().slice('line '.length)));
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);
const names = () => readdirSync(directory).sort();
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(1);
}

test('a journal that grows full is rotated, and holds its limits; what is left has no gap', async () => {
  const monitor = new Monitor();
  monitor.print(1);
  const tell = keeper.follow({ id: 'a', path, limits: limits(), reopen: monitor.reopen });
  for (let turn = 0; turn < 60 || names().length < 4; turn++) {
    monitor.print(10);
    tell(70_000);
    if (turn % 3 === 0) await Bun.sleep(6);
  }
  await keeper.forget('a');
  expect(names()).toEqual(['container.log', 'container.log.1', 'container.log.2', 'container.log.3']);
  const left = await shown();
  expect(left).toEqual(range(next - left.length, next));
  expect(left.length).toBeLessThan(next);
});

test('packed files are read like others, also from their end and by time; any gunzip reads them', async () => {
  const monitor = new Monitor();
  const tell = keeper.follow({ id: 'a', path, limits: limits({ compress: true }), reopen: monitor.reopen });
  for (let turn = 1; turn <= 3; turn++) {
    monitor.print(30);
    tell(70_000);
    await until(() => monitor.orders === turn);
    await until(() => names().filter((name) => name.endsWith('.gz')).length === turn);
    await until(() => !names().includes('container.log.1'));
  }
  monitor.print(5);
  expect(names().filter((name) => !name.includes('part'))).toEqual([
    'container.log',
    'container.log.1.gz',
    'container.log.2.gz',
    'container.log.3.gz',
  ]);
  expect(gunzipSync(readFileSync(`${path}.3.gz`)).toString()).toBe(range(0, 30).map(line).join(''));
  expect(await shown()).toEqual(range(0, 95));
  expect(await shown({ tail: 50 })).toEqual(range(45, 95));
  for (const since of [0, 29, 30, 59, 64, 94, 95])
    expect(await shown({ sinceNano: BASE + BigInt(since) * 1_000_000n })).toEqual(range(since, 95));
});

test('a file that is being followed is not shown again once it is packed', async () => {
  const monitor = new Monitor();
  monitor.print(3);
  const tell = keeper.follow({
    id: 'a',
    path,
    limits: limits({ compress: true, maxFiles: 9 }),
    reopen: monitor.reopen,
  });
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const all = {
    stdout: true,
    stderr: true,
    follow: true,
    untilNano: undefined,
    tail: undefined,
    sinceNano: undefined,
  };
  const found: string[] = [];
  const reading = (async () => {
    for await (const lines of readLog({ files: new LogFiles(path), ended }, all, AbortSignal.timeout(9000)))
      found.push(...lines.map(({ data }) => Buffer.from(data).toString()));
  })();
  for (let turn = 1; turn <= 5; turn++) {
    monitor.print(30);
    tell(70_000);
    await until(() => names().filter((name) => name.endsWith('.gz')).length === turn);
  }
  end();
  await reading;
  expect(found).toEqual(range(0, 153).map((count) => `line ${count}\n`));
});

/** Every state that a daemon can leave when it is killed during a rotation. */
const crashes: [string, (monitor: Monitor, rotation: JournalRotation) => Promise<void>][] = [
  ['before the first step', async () => undefined],
  ['after the renames', async (_monitor, rotation) => await rotation.shift()],
  [
    'after the order, which the monitor has carried out',
    async (monitor, rotation) => {
      await rotation.shift();
      await monitor.reopen();
    },
  ],
  [
    'between the renames',
    async (_monitor, rotation) => {
      await rotation.shift();
      await rotation.shift().catch(() => undefined);
    },
  ],
  [
    'with a half packed file',
    async (monitor, rotation) => {
      await rotation.shift();
      await monitor.reopen();
      writeFileSync(`${path}.part`, 'half');
    },
  ],
  [
    'before the plain form of a packed file could go',
    async (monitor, rotation) => {
      await rotation.shift();
      await monitor.reopen();
      const plain = readFileSync(`${path}.1`);
      const original = await rotation.packPart({ number: 1, plain: true, packed: false });
      if (original !== undefined) await rotation.settlePart(original);
      writeFileSync(`${path}.1`, plain);
    },
  ],
];

test.each(crashes)('a daemon killed %s: no line is lost or doubled', async (_when, crash) => {
  const monitor = new Monitor();
  for (let turn = 0; turn < 2; turn++) {
    monitor.print(20);
    await new JournalRotation(new LogFiles(path), limits({ maxFiles: 9 })).shift();
    await monitor.reopen();
  }
  monitor.print(30);
  await crash(monitor, new JournalRotation(new LogFiles(path), limits({ maxFiles: 9, compress: true })));
  monitor.print(5);
  expect(await shown()).toEqual(range(0, next));
  await keeper.recover({ id: 'a', path, limits: limits({ maxFiles: 9 }), reopen: monitor.reopen });
  monitor.print(5);
  expect(await shown()).toEqual(range(0, next));
  expect(existsSync(path)).toBe(true);
  expect(names().filter((name) => /part|trim/.test(name))).toEqual([]);
});

test('an order that may be on its way is not given again at once', async () => {
  const monitor = new Monitor();
  monitor.print(3);
  await new JournalRotation(new LogFiles(path), limits()).shift();
  const recovering = keeper.recover({ id: 'a', path, limits: limits(), reopen: monitor.reopen });
  await Bun.sleep(50);
  expect(monitor.orders).toBe(0);
  await monitor.reopen();
  await recovering;
  expect(monitor.orders).toBe(1);
});

test('what outgrew its limits without a daemon is cut at its start; the newest lines stay', async () => {
  for (const [name, isRunning] of [
    ['running', true],
    ['stopped', false],
  ] as const) {
    path = join(directory, name);
    next = 0;
    const monitor = new Monitor();
    monitor.print(1000);
    await keeper.recover({
      id: name,
      path,
      limits: limits(),
      reopen: isRunning ? monitor.reopen : undefined,
    });
    const left = await shown();
    expect(left.at(-1)).toBe(999);
    expect(left).toEqual(range(1000 - left.length, 1000));
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(3000);
    expect(statSync(`${path}.1`).size).toBeGreaterThan(2900);
  }
});

test('a monitor that has ended ends the rotation; one file as the limit keeps what the last monitor wrote', async () => {
  const monitor = new Monitor();
  monitor.print(40);
  const gone = async () => {
    throw new EngineError('conflict', 'ended');
  };
  const tell = keeper.follow({ id: 'a', path, limits: limits({ maxFiles: 1 }), reopen: gone });
  tell(1);
  await keeper.forget('a');
  expect(await shown()).toEqual(range(0, 40));
});

test('a container that goes while its log is being rotated is not held up', async () => {
  const monitor = new Monitor();
  monitor.obeys = false;
  monitor.print(40);
  const tell = keeper.follow({ id: 'a', path, limits: limits(), reopen: monitor.reopen });
  tell(1);
  await until(() => monitor.orders > 0);
  await keeper.forget('a');
});
