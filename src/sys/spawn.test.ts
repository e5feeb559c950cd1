import { expect, test } from 'bun:test';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_OUTPUT_BYTES, run, runChecked, spawnDetached } from './spawn.ts';

test('run() returns exit code and both streams, stdin given', async () => {
  const result = await run(['sh', '-c', 'cat; echo problem >&2; exit 3'], { stdin: 'héllo' });
  expect(result).toEqual({ exitCode: 3, stdout: 'héllo', stderr: 'problem\n' });
});

test('run() tells a signal as 128 plus its number', async () => {
  expect((await run(['sh', '-c', 'kill -TERM $$'])).exitCode).toBe(143);
});

test('run() kills the child on abort, also when a grandchild holds its streams', async () => {
  const controller = new AbortController();
  const startedMs = performance.now();
  setTimeout(() => controller.abort(new Error('enough')), 50);
  expect(run(['sh', '-c', 'sleep 3; true'], { signal: controller.signal })).rejects.toThrow('enough');
  await run(['sh', '-c', 'sleep 3; true'], { signal: controller.signal }).catch(() => undefined);
  expect(performance.now() - startedMs).toBeLessThan(1500);
});

test('run() ends a child that outlasts its time', () => {
  expect(run(['sleep', '5'], { timeoutMs: 30 })).rejects.toThrow('sleep did not end within 30 ms');
});

test('run() bounds what it keeps and lets the child finish', async () => {
  const result = await run(['sh', '-c', 'head -c 6000000 /dev/zero; echo end >&2']);
  expect(result.stdout.length).toBe(MAX_OUTPUT_BYTES);
  expect(result.stderr).toBe('end\n');
});

test('a program that is not there is named, with a hint', () => {
  expect(run(['sampan-no-such-program'])).rejects.toMatchObject({
    kind: 'internal',
    message: 'Cannot run sampan-no-such-program: no such program or folder',
  });
});

test('runChecked() throws the words of the program', () => {
  expect(runChecked(['sh', '-c', 'echo "no such device" >&2; exit 2'])).rejects.toThrow(
    'sh failed with exit code 2: no such device',
  );
});

test('spawnDetached() passes fds by position and makes a session', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sampan-spawn-'));
  const path = join(folder, 'out');
  const fd = openSync(path, 'w');
  const child = spawnDetached(['sh', '-c', 'cut -d" " -f6 /proc/self/stat >&3; exit 7'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  });
  closeSync(fd);
  expect(await child.exited).toBe(7);
  expect(Number(readFileSync(path, 'utf8'))).toBe(child.pid);
  rmSync(folder, { recursive: true });
});
