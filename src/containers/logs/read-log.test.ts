import { afterEach, beforeEach, expect, test } from 'bun:test';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogRequest } from '../container-backend.ts';
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
): Promise<string[]> {
  const found: string[] = [];
  for await (const record of readLog({ path, ended }, { ...all, ...request }, AbortSignal.timeout(5000))) {
    found.push(new TextDecoder().decode(record.data));
  }
  return found;
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
  expect(await texts({ tail: 2 })).toEqual(['a', 'b', 'c\n', 'end']);
});

test('a line longer than a block is still found', async () => {
  appendFileSync(path, line(1, 'one') + line(2, 'y'.repeat(200_000)) + line(3, 'three'));
  expect((await texts({ tail: 2 })).map((text) => text.length)).toEqual([200_001, 6]);
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
    { path, ended: new Promise(() => undefined) },
    { ...all, follow: true },
    controller.signal,
  );
  appendFileSync(path, line(1));
  expect((await reading.next()).value?.stream).toBe('stdout');
  const next = reading.next();
  controller.abort();
  expect((await next).done).toBe(true);
});
