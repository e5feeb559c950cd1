import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TarReader } from '../../../../archive/tar-reader.ts';
import { paxMember, rawMember, rawTar } from '../../../../archive/testing/raw-tar.ts';
import { localTar } from './local-tar.ts';
import { LocalUnpacker } from './local-unpacker.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unpack-'));
  mkdirSync(join(folder, 'to'));
  writeFileSync(join(folder, 'outside'), 'mine');
});
afterEach(() => rmSync(folder, { recursive: true }));

function unpack(archive: Uint8Array, source = 'd', name = 'd'): void {
  const unpacker = new LocalUnpacker({ directory: `${folder}/to/`, name }, source);
  const reader = new TarReader(unpacker);
  reader.write(archive);
  reader.finish();
  unpacker.finish();
}
const refusal = (archive: Uint8Array) => () => unpack(archive);
const dir = (name: string) => rawMember({ name, type: '5', mode: 0o755 });

test('a link of the archive is not written through', () => {
  const archive = rawTar(
    dir('d/'),
    rawMember({ name: 'd/l', type: '2', link: '..' }),
    rawMember({ name: 'd/l/x' }, 'bad'),
  );
  expect(refusal(archive)).toThrow(/links are not followed/);
  expect(existsSync(join(folder, 'to/x'))).toBe(false);
});

test('nor is one that was there', () => {
  mkdirSync(join(folder, 'to/d'));
  symlinkSync(folder, join(folder, 'to/d/l'));
  expect(refusal(rawTar(rawMember({ name: 'd/l/outside' }, 'bad')))).toThrow(/links are not followed/);
  expect(readFileSync(join(folder, 'outside'), 'utf8')).toBe('mine');
});

test('a file takes the place of a link, not of its target', () => {
  mkdirSync(join(folder, 'to/d'));
  symlinkSync(join(folder, 'outside'), join(folder, 'to/d/f'));
  unpack(rawTar(rawMember({ name: 'd/f' }, 'new')));
  expect(readFileSync(join(folder, 'outside'), 'utf8')).toBe('mine');
  expect(lstatSync(join(folder, 'to/d/f')).isFile()).toBe(true);
});

test.each([
  ['what was not asked for', rawTar(rawMember({ name: 'other' })), /not what was asked for/],
  ['a hard link out', rawTar(rawMember({ name: 'd', type: '1', link: 'outside' })), /not what was asked for/],
  ['..', rawTar(rawMember({ name: '../d' })), /leaves the archive/],
  ['a long name of ..', rawTar(paxMember([['path', 'd/../../x']]), rawMember({})), /leaves the archive/],
])('%s is refused', (_, archive, message) => {
  expect(refusal(archive)).toThrow(message);
});

test('kinds are kept', () => {
  mkdirSync(join(folder, 'to/d'));
  expect(refusal(rawTar(rawMember({ name: 'd' })))).toThrow(
    /^cannot overwrite directory ".*\/to\/d" with non-directory/,
  );
});

test('what localTar makes comes back under another name', async () => {
  const from = join(folder, 'from');
  mkdirSync(join(from, 'deep'), { recursive: true });
  writeFileSync(join(from, 'deep/f'), 'text', { mode: 0o640 });
  symlinkSync('f', join(from, 'deep/l'));
  const chunks = await Array.fromAsync(localTar(from, 'n'));
  unpack(Buffer.concat(chunks), 'n', 'm');
  expect(readFileSync(join(folder, 'to/m/deep/f'), 'utf8')).toBe('text');
  expect(lstatSync(join(folder, 'to/m/deep/f')).mode & 0o777).toBe(0o640);
  expect(readlinkSync(join(folder, 'to/m/deep/l'))).toBe('f');
});
