import { afterEach, beforeEach, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../test/support/failure-of.ts';
import type { Digest } from '../oci/digest.ts';
import { LocalContentStore } from './local-content-store.ts';

let root: string;
let store: LocalContentStore;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sampan-content-'));
  store = await LocalContentStore.open(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const sha256 = (bytes: Uint8Array): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
const bytesOf = (length: number, seed = 7): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * seed + (index >> 8)) & 255);

test('open() makes an OCI layout', () => {
  expect(JSON.parse(readFileSync(join(root, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
  expect(existsSync(join(root, 'blobs', 'sha256'))).toBe(true);
});

test('write() stores by digest and read() gives it back', async () => {
  const digest = await store.write(new TextEncoder().encode('hello'));
  // echo -n hello | sha256sum
  expect(digest as string).toBe('sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824');
  expect(new TextDecoder().decode(await store.read(digest, { maxBytes: 5 }))).toBe('hello');
  expect(await store.size(digest)).toBe(5);
  expect(await failureOf(store.read(digest, { maxBytes: 4 }))).toMatchObject({
    kind: 'invalid',
    code: 'size-exceeded',
  });
});

test('write() refuses bytes of another digest and stores nothing', async () => {
  expect(await failureOf(store.write(bytesOf(10), sha256(bytesOf(11))))).toMatchObject({
    code: 'digest-mismatch',
  });
  expect(readdirSync(join(root, 'blobs', 'sha256'))).toEqual([]);
});

test('blobs by sha512 lie beside the others, from small bytes and from an ingest whatever it was hashed with', async () => {
  const bytes = bytesOf(700_000);
  const digest = `sha512:${createHash('sha512').update(bytes).digest('hex')}` as Digest;
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const ingest = await store.ingest('long', { algorithm });
    await ingest.write(bytes);
    expect((await ingest.digest()).startsWith(`${algorithm}:`)).toBe(true);
    expect(await ingest.commit({ digest })).toEqual({ digest, size: bytes.length });
    expect(await store.read(digest, { maxBytes: bytes.length })).toEqual(Buffer.from(bytes));
    await store.remove(digest);
  }
  const wrong = await store.ingest('wrong');
  await wrong.write(bytesOf(10));
  expect(await failureOf(wrong.commit({ digest }))).toMatchObject({ code: 'digest-mismatch' });
  expect(await store.write(bytes, digest)).toBe(digest);
  await store.write(bytes);
  const listed = await Array.fromAsync(store.list());
  expect(listed.map((one) => one.digest).sort()).toEqual([sha256(bytes), digest]);
});

test('an absent blob has no size and cannot be read', async () => {
  const absent = sha256(bytesOf(1));
  expect(await store.size(absent)).toBeUndefined();
  expect(await failureOf(store.read(absent, { maxBytes: 1 }))).toMatchObject({ kind: 'not-found' });
  expect(() => store.stream(absent)).toThrow('No such blob');
  await store.remove(absent);
});

test('ingest() publishes several megabytes in odd chunks, nothing before commit', async () => {
  const bytes = bytesOf(3_500_001);
  const digest = sha256(bytes);
  const ingest = await store.ingest('a');
  for (let at = 0; at < bytes.length; at += 77_777) await ingest.write(bytes.subarray(at, at + 77_777));
  expect(ingest.offset).toBe(bytes.length);
  expect(await store.size(digest)).toBeUndefined();
  expect(await ingest.commit({ digest, size: bytes.length })).toEqual({ digest, size: bytes.length });
  expect(await new Response(store.stream(digest)).bytes()).toEqual(bytes);
  expect(await new Response(store.stream(digest, { start: 10, end: 20 })).bytes()).toEqual(
    bytes.slice(10, 20),
  );
  expect(readdirSync(join(root, 'ingest'))).toEqual([]);
});

test('an ingest goes on where it was closed, and is verified whole', async () => {
  const bytes = bytesOf(2_000_000);
  const first = await store.ingest('a');
  await first.write(bytes.subarray(0, 1_234_567));
  await first.close();
  const second = await (await LocalContentStore.open(root)).ingest('a');
  expect(second.offset).toBe(1_234_567);
  expect(await new Response(second.replay()).bytes()).toEqual(bytes.slice(0, 1_234_567));
  await second.write(bytes.subarray(1_234_567));
  expect((await second.commit()).digest).toBe(sha256(bytes));
});

test('replay() sees bytes that are still in the buffer; of nothing it is empty', async () => {
  const ingest = await store.ingest('a');
  expect(await new Response(ingest.replay()).bytes()).toEqual(new Uint8Array());
  await ingest.write(bytesOf(1000));
  expect(await new Response(ingest.replay()).bytes()).toEqual(bytesOf(1000));
  await ingest.abort();
});

test('two open ingests of one key conflict, in whatever instance; others do not', async () => {
  const one = await store.ingest('a');
  const other = await LocalContentStore.open(root);
  expect(await failureOf(other.ingest('a'))).toMatchObject({ kind: 'conflict' });
  await (await other.ingest('b')).abort();
  await one.close();
  await (await other.ingest('a')).abort();
  expect(readdirSync(join(root, 'ingest'))).toEqual([]);
});

test('a published blob is never reopened as the ingest it was', async () => {
  const one = await store.ingest('a');
  await one.write(bytesOf(100));
  const { digest } = await one.commit();
  const two = await store.ingest('a');
  expect(two.offset).toBe(0);
  await two.write(bytesOf(50, 3));
  await two.abort();
  expect(await store.read(digest, { maxBytes: 100 })).toEqual(Buffer.from(bytesOf(100)));
});

test('commit() leaves a blob that shares its file with a layer where it is', async () => {
  const bytes = Buffer.from('a tar');
  const digest = await store.write(bytes);
  linkSync(store.path(digest), join(root, 'tar'));
  const ingest = await store.ingest('again');
  await ingest.write(bytes);
  expect(await ingest.commit()).toEqual({ digest, size: bytes.length });
  expect(statSync(store.path(digest)).ino).toBe(statSync(join(root, 'tar')).ino);
});

test('commit() refuses a wrong digest or size, and the bytes are gone', async () => {
  for (const expected of [{ digest: sha256(bytesOf(9)) }, { size: 9 }]) {
    const ingest = await store.ingest('a');
    await ingest.write(bytesOf(10));
    expect(await failureOf(ingest.commit(expected))).toMatchObject({
      kind: 'invalid',
      code: 'digest-mismatch',
    });
    expect(readdirSync(join(root, 'ingest'))).toEqual([]);
    expect(readdirSync(join(root, 'blobs', 'sha256'))).toEqual([]);
  }
});

test('ingest({ restart }) forgets the bytes', async () => {
  const first = await store.ingest('a');
  await first.write(bytesOf(10));
  await first.close();
  const again = await store.ingest('a', { restart: true });
  expect(again.offset).toBe(0);
  await again.abort();
});

test('list() gives blobs alone; sweepIngests() removes what is old and not under way', async () => {
  const digest = await store.write(bytesOf(10));
  const [old, open, fresh] = await Promise.all(['old', 'open', 'fresh'].map((key) => store.ingest(key)));
  await Promise.all([old!, open!, fresh!].map((ingest) => ingest.write(bytesOf(5))));
  await Promise.all([old!.close(), fresh!.close()]);
  const name = (key: string): string => join(root, 'ingest', createHash('sha256').update(key).digest('hex'));
  for (const key of ['old', 'open']) utimesSync(name(key), 1000, 1000);
  const listed: unknown[] = [];
  for await (const blob of store.list()) listed.push(blob);
  expect(listed).toEqual([{ digest, sizeBytes: 10 }]);
  await store.sweepIngests(60_000);
  expect(['old', 'open', 'fresh'].map((key) => existsSync(name(key)))).toEqual([false, true, true]);
  await open!.abort();
});

test('sweepIngests() removes ephemeral ingests of an earlier process, however young; those under way stay', async () => {
  const keys = ['left', 'open', 'ours'];
  const [left, open, ours] = await Promise.all(keys.map((key) => store.ingest(key, { ephemeral: true })));
  await Promise.all([left!.close(), ours!.close()]);
  const name = (key: string): string =>
    join(root, 'ingest', `${createHash('sha256').update(key).digest('hex')}.ephemeral`);
  const before = (performance.timeOrigin - 10) / 1000;
  for (const key of ['left', 'open']) utimesSync(name(key), before, before);
  await store.sweepIngests(24 * 3600_000);
  expect(keys.map((key) => existsSync(name(key)))).toEqual([false, true, true]);
  await open!.abort();
});

test('forgetIngest() removes the bytes of a download that was broken off, not of one under way', async () => {
  const ingest = await store.ingest('key');
  await ingest.write(bytesOf(4));
  await store.forgetIngest('key');
  await ingest.close();
  const again = await store.ingest('key');
  expect(again.offset).toBe(4);
  await again.close();
  await store.forgetIngest('key');
  await store.forgetIngest('key');
  const anew = await store.ingest('key');
  expect(anew.offset).toBe(0);
  await anew.abort();
});

test('sweepIngests() removes what an earlier process left of small writes, however young; those under way stay', async () => {
  const temporary = (name: string): string => join(root, 'blobs', 'sha256', `${'0'.repeat(64)}.${name}.tmp`);
  for (const name of ['left', 'ours']) writeFileSync(temporary(name), 'x');
  const left = (performance.timeOrigin - 10) / 1000;
  utimesSync(temporary('left'), left, left);
  await store.sweepIngests(24 * 3600_000);
  expect(['left', 'ours'].map((name) => existsSync(temporary(name)))).toEqual([false, true]);
});

test('a damaged blob is not read, and a write of the same bytes mends it', async () => {
  const digest = await store.write(bytesOf(100));
  writeFileSync(store.path(digest), bytesOf(100, 9));
  expect(await failureOf(store.read(digest, { maxBytes: 100 }))).toMatchObject({
    kind: 'not-found',
    code: 'digest-mismatch',
  });
  await store.write(bytesOf(100));
  expect(await store.read(digest, { maxBytes: 100 })).toEqual(Buffer.from(bytesOf(100)));
});
