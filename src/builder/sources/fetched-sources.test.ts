import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { failureOf } from '../../../test/support/failure-of.ts';
import type { FileRunner } from '../copy/file-job.ts';
import { filePool } from '../copy/file-pool.ts';
import { tarOf } from '../copy/testing/copy-fixture.ts';
import { FetchedSources } from './fetched-sources.ts';

const signal = new AbortController().signal;
let root: string;
let files: FileRunner;
let sources: FetchedSources;
let server: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fetched-sources-'));
  files = filePool();
  sources = await FetchedSources.open({ root, files });
  const tar = gzipSync(
    await tarOf(['f 644 0:0 Dockerfile FROM scratch', 'f 644 0:0 a.md a', 'f 644 0:0 b.txt b']),
  );
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ url }) => new Response(url.endsWith('.tgz') ? tar : 'FROM scratch\n'),
  });
});

afterAll(async () => {
  await server.stop(true);
  await files.close();
  rmSync(root, { recursive: true, force: true });
});

test('context() takes a compressed tar apart, shows what is wanted of it, and leaves nothing', async () => {
  const want = { include: [], exclude: ['*.md'], follow: [] };
  const context = await sources.context(new URL('/c.tgz', server.url).href, { signal, want });
  expect(await context.tree.list('')).toEqual(['Dockerfile', 'b.txt']);
  expect(await new Response(context.tree.read('b.txt')).text()).toBe('b');
  expect(context.directory).toBeUndefined();
  await context.release();
  expect(readdirSync(join(root, 'contexts'))).toEqual([]);
});

test('context() takes what is no archive for a Dockerfile', async () => {
  const context = await sources.context(new URL('/Containerfile', server.url).href, { signal });
  expect(await context.tree.list('')).toEqual(['Dockerfile']);
  expect(await new Response(context.tree.read('Dockerfile')).text()).toBe('FROM scratch\n');
  await context.release();
});

test('downloads are listed as Docker lists them, without anybody’s password, and can be removed', async () => {
  const url = new URL('/listed', server.url);
  [url.username, url.password] = ['me', 'secret'];
  const file = await sources.http(url.href, { signal });
  const listed = async () =>
    (await sources.list()).filter(({ description }) => description.endsWith('/listed'));
  const [found] = await listed();
  expect(found).toMatchObject({
    kind: 'regular',
    inUse: true,
    description: `http url http://me:xxxxx@127.0.0.1:${server.port}/listed`,
  });
  expect(await failureOf(sources.remove(found?.id ?? ''))).toHaveProperty('kind', 'conflict');
  await file.release();
  expect(await listed()).toMatchObject([{ inUse: false }]);
  await sources.remove(found?.id ?? '');
  expect(await listed()).toEqual([]);
  await sources.remove('absent');
});
