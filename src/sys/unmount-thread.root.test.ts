import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listMounts, mount } from './mount.ts';
import { UnmountThread } from './unmount-thread.ts';

test('unmount() answers each asker, and says whether there was a mount', async () => {
  const base = mkdtempSync(join(tmpdir(), 'sampan-unmount-'));
  const targets = ['a', 'b', 'c'].map((name) => mkdtempSync(join(base, name)));
  const thread = new UnmountThread();
  for (const target of targets) mount({ source: 'none', target, type: 'tmpfs' });
  expect(await Promise.all(targets.map((target) => thread.unmount(target)))).toEqual([true, true, true]);
  expect(listMounts().some(({ target }) => target.startsWith(base))).toBe(false);
  expect(await thread.unmount(targets[0]!)).toBe(false);
  const error = await thread.unmount('/proc/self/no\0thing').catch((caught: unknown) => caught);
  expect(error).toMatchObject({ name: 'EngineError', kind: 'invalid' });
  rmSync(base, { recursive: true });
});
