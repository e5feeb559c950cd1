import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordFolder } from './record-folder.ts';

const directory = mkdtempSync(join(tmpdir(), 'records-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const open = () =>
  new RecordFolder<{ name: string }>(
    directory,
    ({ name }) => name,
    (value) => ((value as { name?: unknown }).name === undefined ? undefined : (value as { name: string })),
  );

test('a record that was cut off while it was written is gone with the next start, whole ones are there', () => {
  open().add({ name: 'whole' });
  writeFileSync(join(directory, 'empty.json'), '');
  writeFileSync(join(directory, 'half.json'), '{"na');
  writeFileSync(join(directory, 'other.json'), '{}');
  expect(open().list()).toEqual([{ name: 'whole' }]);
  expect(readdirSync(directory)).toEqual(['whole.json']);
});
