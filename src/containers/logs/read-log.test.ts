import { afterEach, beforeEach, expect, test } from 'bun:test';
import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogLine, LogRequest } from '../container-backend.ts';
import { LogCursor } from './log-cursor.ts';
import { LogFiles } from './log-files.ts';
import { readLog } from './read-log.ts';

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-log-'));
  path = join(directory, 'container.log');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const all: LogRequest = {
  stdout: true,
  stderr: true,
  follow: false,
  sinceNano: undefined,
  untilNano: undefined,
  tail: undefined,
};
const second = (count: number) => 1_795_428_000_000_000_000n + BigInt(count) * 1_000_000_000n;
const line = (count: number, text = `line ${count}`, tag = 'F', stream = 'stdout') =>
  `${new Date(Number(second(count) / 1_000_000n)).toISOString().slice(0, 19)}.000000000+00:00 ${stream} ${tag} ${text}\n`;

async function texts(
  request: Partial<LogRequest>,
  ended: Promise<void> = Promise.resolve(),
  found: string[] = [],
): Promise<string[]> {
  const source = { files: new LogFiles(path), ended };
  for await (const lines of readLog(source, { ...all, ...request }, AbortSignal.timeout(5000)))
    for (const { data } of lines) found.push(new TextDecoder().decode(data));
  return found;
}
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(1);
}

test('an absent journal is an empty log', async () => expect(await texts({})).toEqual([]));

test.each([0, 1, 2, 999, 2000, 2001])(
  'tail %p gives the last lines of a journal of many blocks',
  async (tail) => {
    const lines = Array.from({ length: 2000 }, (_, count) => line(count, `${count} ${'x'.repeat(200)}`));
    appendFileSync(path, lines.join(''));
    const found = await texts({ tail });
    expect(found.length).toBe(Math.min(tail, 2000));
    expect(found.map((text) => Number.parseInt(text, 10))).toEqual(
      Array.from({ length: found.length }, (_, at) => 2000 - found.length + at),
    );
  },
);

test('tail counts lines, not the parts of a long one', async () => {
  appendFileSync(
    path,
    line(1, 'one') + line(2, 'a', 'P') + line(2, 'b', 'P') + line(2, 'c') + line(3, 'end', 'P'),
  );
  expect(await texts({ tail: 1 })).toEqual(['end']);
  expect(await texts({ tail: 2 })).toEqual(['abc\n', 'end']);
});

test('a line longer than a block is still found', async () => {
  appendFileSync(path, line(1, 'one') + line(2, 'y'.repeat(200_000)) + line(3, 'three'));
  const found = await texts({ tail: 2 });
  expect(found.slice(0, -1).map((text) => text.length)).toEqual([...Array(12).fill(16_384), 3393]);
  expect(found.slice(0, -1).join('')).toBe(`${'y'.repeat(200_000)}\n`);
});

test('since and until cut by time, to the nanosecond', async () => {
  appendFileSync(
    path,
    Array.from({ length: 3000 }, (_, count) => line(count, `${count} ${'x'.repeat(100)}`)).join(''),
  );
  const found = await texts({ sinceNano: second(2990), untilNano: second(2993) });
  expect(found.map((text) => Number.parseInt(text, 10))).toEqual([2990, 2991, 2992, 2993]);
  expect((await texts({ sinceNano: second(2990) + 1n })).length).toBe(9);
});

test('a journal that is still being written shows whole lines only', async () => {
  appendFileSync(path, line(1) + line(2).slice(0, 40));
  expect(await texts({})).toEqual(['line 1\n']);
});

test('stdout and stderr are told apart', async () => {
  appendFileSync(path, line(1, 'out') + line(2, 'err', 'F', 'stderr'));
  expect(await texts({ stdout: false })).toEqual(['err\n']);
});

test('follow gives every line once, from before and after, and ends with the container', async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const reading = texts({ follow: true }, ended);
  for (let count = 0; count < 200; count++) {
    const text = line(count);
    appendFileSync(path, text.slice(0, 30));
    await Bun.sleep(count % 10 === 0 ? 1 : 0);
    appendFileSync(path, text.slice(30));
  }
  end();
  expect(await reading).toEqual(Array.from({ length: 200 }, (_, count) => `line ${count}\n`));
});

test('follow ends when the client leaves', async () => {
  const controller = new AbortController();
  const reading = readLog(
    { files: new LogFiles(path), ended: new Promise(() => undefined) },
    { ...all, follow: true },
    controller.signal,
  );
  appendFileSync(path, line(1));
  expect((await reading.next()).value?.[0]?.stream).toBe('stdout');
  const next = reading.next();
  controller.abort();
  expect((await next).done).toBe(true);
});

const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);
const write = (from: number, to: number) =>
  appendFileSync(
    path,
    numbered(from, to)
      .map((count) => line(count))
      .join(''),
  );
const shown = (from: number, to: number) => numbered(from, to).map((count) => `line ${count}\n`);
/** As a rotation, oldest first. */
function rotate(): void {
  const numbers = readdirSync(directory).map((name) => Number(name.split('.')[2] ?? 0));
  for (const number of numbers.sort((x, y) => y - x)) {
    renameSync(number === 0 ? path : `${path}.${number}`, `${path}.${number + 1}`);
  }
}

test('follow goes on over renames: the old file to its end, then the new one, nothing lost or doubled', async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  write(0, 3);
  const found: string[] = [];
  const reading = texts({ follow: true, tail: 2 }, ended, found);
  await until(() => found.length === 2);
  for (let turn = 1; turn <= 40; turn++) {
    const first = turn * 10;
    write(first, first + 4);
    if (turn % 3 === 0) await Bun.sleep(1);
    rotate();
    // The monitor writes to the file that it has until it has opened the new one.
    appendFileSync(`${path}.1`, line(first + 4) + line(first + 5));
    if (turn % 4 === 0) await Bun.sleep(1);
    write(first + 6, first + 10);
    await Bun.sleep(turn % 2 === 0 ? 5 : 0);
  }
  end();
  expect(await reading).toEqual([...shown(1, 3), ...shown(10, 410)]);
});

test('a file that is removed while it is being followed is read to its end', async () => {
  write(-2, -1);
  rotate();
  await Bun.sleep(10);
  write(0, 2);
  const files = new LogFiles(path);
  const never = new Promise<void>(() => undefined);
  const reading = readLog(
    { files, ended: never },
    { ...all, follow: true, tail: 2 },
    AbortSignal.timeout(5000),
  );
  const next = async () =>
    ((await reading.next()).value as LogLine[]).map(({ data }) => new TextDecoder().decode(data));
  const found = await next();
  write(2, 3);
  rmSync(path);
  write(3, 5);
  while (found.length < 5) found.push(...(await next()));
  expect(found).toEqual(shown(0, 5));
  await reading.return(undefined);
});

test('a file that is cut short while it is being followed begins anew', async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  write(0, 5);
  const found: string[] = [];
  const reading = texts({ follow: true }, ended, found);
  await until(() => found.length === 5);
  truncateSync(path);
  write(7, 9);
  await until(() => found.length === 7);
  end();
  expect(await reading).toEqual([...shown(0, 5), ...shown(7, 9)]);
});

test('a log that had not begun when its end was looked for is shown from its beginning', async () => {
  const cursor = new LogCursor(new LogFiles(path));
  const start = { sinceNano: undefined, tail: 0 };
  expect(await Array.fromAsync(cursor.advance(start))).toEqual([]);
  write(0, 3);
  expect((await Array.fromAsync(cursor.advance(start))).flat()).toHaveLength(3);
  await cursor.close();
});

test('all, tail and since read over the files of a rotated log', async () => {
  write(0, 10);
  appendFileSync(path, line(10, 'a', 'P'));
  rotate();
  appendFileSync(path, line(10, 'b') + line(11));
  rotate();
  write(12, 20);
  const whole = [...shown(0, 10), 'ab\n', ...shown(11, 20)];
  expect(await texts({})).toEqual(whole);
  for (const tail of numbered(0, 22)) {
    const from = Math.max(0, 20 - tail);
    expect([tail, await texts({ tail })]).toEqual([tail, whole.slice(from)]);
  }
  for (const since of numbered(0, 21)) {
    expect([since, await texts({ sinceNano: second(since) })]).toEqual([since, whole.slice(since)]);
  }
  expect(await texts({ sinceNano: second(5), tail: 3 })).toEqual(shown(17, 20));
  expect(await texts({ sinceNano: second(18), tail: 15, untilNano: second(18) })).toEqual(shown(18, 19));
});
