import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../test/support/failure-of.ts';
import { makeDataRoot } from './make-data-root.ts';

let base = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-root-'));
});
afterEach(() => rmSync(base, { recursive: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o7777;

function folder(mode: number, ...files: string[]): string {
  const path = join(base, `${mode}-${files.length}`);
  mkdirSync(path);
  for (const file of files) writeFileSync(join(path, file), '');
  chmodSync(path, mode);
  return path;
}

test('a folder that is made, a fresh disk and an engine of before are closed to others', async () => {
  const made = join(base, 'deep/made');
  for (const path of [made, folder(0o755), folder(0o1777, 'lost+found'), folder(0o711, 'state.db', 'lock')]) {
    await makeDataRoot(path);
    expect([path, modeOf(path)]).toEqual([path, 0o710]);
  }
  const narrow = folder(0o700);
  await makeDataRoot(narrow);
  expect(modeOf(narrow)).toBe(0o700);
});

test('what holds other files is left as it is, and refused while others may look into it', async () => {
  const shared = folder(0o755, 'of-others');
  expect(await failureOf(makeDataRoot(shared))).toMatchObject({
    kind: 'forbidden',
    hint: expect.stringContaining(`chmod 710 ${shared}`),
  });
  expect(modeOf(shared)).toBe(0o755);
  chmodSync(shared, 0o710);
  await makeDataRoot(shared);
});

test("somebody else's folder is refused", async () => {
  const foreign = folder(0o700);
  chownSync(foreign, 1000, 1000);
  expect(await failureOf(makeDataRoot(foreign))).toMatchObject({
    kind: 'forbidden',
    message: expect.stringContaining('belongs to user 1000'),
  });
});
