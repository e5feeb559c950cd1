import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { HttpSource } from './http-source.ts';
import type { RemoteFiles } from './remote-sources.ts';

const signal = new AbortController().signal;
const modified = 'Wed, 21 Oct 2015 07:28:00 GMT';
let root: string;
let server: ReturnType<typeof Bun.serve>;
/** Promises more than it sends. */
let broken: Server;
let requests: string[] = [];
let content = 'first';
let etag = '"one"';

function respond(request: Request): Response {
  const { pathname } = new URL(request.url);
  requests.push(`${request.method} ${pathname}`);
  if (pathname === '/missing') return new Response('no', { status: 404 });
  if (pathname === '/stuck')
    return new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('some')) }),
    );
  if (pathname === '/plain') return new Response(content);
  if (request.headers.get('if-none-match') === etag)
    return new Response(null, { status: 304, headers: { etag } });
  return new Response(content, { headers: { etag, 'last-modified': modified } });
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'http-source-'));
  server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: respond });
  broken = createServer((socket) => {
    socket.on('error', () => undefined).end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this');
  });
  await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await server.stop(true);
  broken.close();
  rmSync(root, { recursive: true, force: true });
});

async function source(name: string): Promise<HttpSource> {
  requests = [];
  const made = new HttpSource(join(root, name));
  await made.recover();
  return made;
}

test('is for http and https alone: nothing of this host is read', async () => {
  const http = await source('schemes');
  for (const [url, scheme] of [
    [`file://${join(root, 'x')}`, 'file'],
    ['data:text/plain,FROM%20scratch', 'data'],
    ['s3://bucket/key', 's3'],
  ] as const)
    expect(await failureOf(http.fetch(url, { signal }))).toMatchObject({
      kind: 'invalid',
      message: `Get ${JSON.stringify(url)}: unsupported protocol scheme "${scheme}"`,
    });
});

function at(path: string): string {
  return new URL(path, server.url).href;
}

function fileOf({ place, name }: RemoteFiles): string {
  return place.kind === 'directory' ? join(place.path, name) : '';
}

describe('HttpSource', () => {
  test('fetch() brings a file with mode 0600 and the time of Last-Modified', async () => {
    const files = await (await source('plain')).fetch(at('/dir/file.txt?x=1'), { signal });
    const stat = statSync(fileOf(files));
    expect(files.name).toBe('file.txt');
    expect(readFileSync(fileOf(files), 'utf8')).toBe(content);
    expect(stat.mode & 0o7777).toBe(0o600);
    expect(stat.mtime.toUTCString()).toBe(modified);
    await files.release();
  });

  test('fetch() asks once more by the entity tag, and downloads what changed', async () => {
    const http = await source('again');
    const first = await http.fetch(at('/file'), { signal });
    const second = await http.fetch(at('/file'), { signal });
    expect(requests).toEqual(['GET /file', 'HEAD /file']);
    expect(second.key).toBe(first.key);
    [content, etag] = ['second', '"two"'];
    const third = await http.fetch(at('/file'), { signal });
    expect(requests.slice(2)).toEqual(['HEAD /file', 'GET /file']);
    expect(readFileSync(fileOf(third), 'utf8')).toBe('second');
    // Who holds the one before still has it.
    expect(readFileSync(fileOf(first), 'utf8')).toBe('first');
  });

  test('fetch() with the checksum of what is here asks nobody', async () => {
    const http = await source('checksum');
    const checksum = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    await http.fetch(at('/plain'), { signal, checksum });
    await http.fetch(at('/plain'), { signal, checksum });
    expect(requests).toEqual(['GET /plain']);
  });

  test('fetch() refuses another content than the checksum, and leaves nothing', async () => {
    const http = await source('mismatch');
    const checksum = `sha256:${'0'.repeat(64)}`;
    const got = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    const message = `digest mismatch for ${at('/file')}: ${got} (expected: ${checksum})`;
    expect(await failureOf(http.fetch(at('/file'), { signal, checksum }))).toMatchObject({
      kind: 'invalid',
      message,
    });
    await http.fetch(at('/file'), { signal, checksum }).catch(() => undefined);
    expect(readdirSync(join(root, 'mismatch'))).toEqual([]);
  });

  test('fetch() tells the status of a refusal, and leaves nothing of a body that breaks off', async () => {
    const http = await source('refusals');
    const cut = `http://127.0.0.1:${(broken.address() as AddressInfo).port}/cut`;
    expect(await failureOf(http.fetch(at('/missing'), { signal }))).toMatchObject({
      kind: 'invalid',
      message: 'invalid response status 404',
    });
    expect(await failureOf(http.fetch(cut, { signal }))).toMatchObject({ kind: 'invalid' });
    await http.fetch(cut, { signal }).catch(() => undefined);
    expect(readdirSync(join(root, 'refusals'))).toEqual([]);
  });

  test('fetch() ends with the signal while a server sends no more', async () => {
    const http = await source('stuck');
    const controller = new AbortController();
    const fetching = http.fetch(at('/stuck'), {
      signal: controller.signal,
      received: () => controller.abort(new Error('enough')),
    });
    expect(await fetching.catch((error: Error) => error.message)).toBe('enough');
    expect(readdirSync(join(root, 'stuck'))).toEqual([]);
  });

  test('fetch() names what has no name as BuildKit does', async () => {
    const http = await source('names');
    expect((await http.fetch(at('/'), { signal })).name).toBe('__unnamed__');
    expect((await http.fetch(at('/a%2F..%2F..'), { signal })).name).toBe('__unnamed__');
    expect((await http.fetch(at(`/${'n'.repeat(300)}`), { signal })).name).toBe('__unnamed__');
  });

  test('what nobody holds can be removed, and is then downloaded anew', async () => {
    const http = await source('removed');
    const held = await http.fetch(at('/held'), { signal });
    await (await http.fetch(at('/free'), { signal })).release();
    for (const { name } of await http.folders.list())
      await http.folders
        .remove(name)
        .catch((error: unknown) => expect(error).toHaveProperty('kind', 'conflict'));
    expect(readFileSync(fileOf(held), 'utf8')).toBe(content);
    expect(readdirSync(join(root, 'removed'))).toHaveLength(1);
    requests = [];
    await (await http.fetch(at('/free'), { signal })).release();
    expect(requests).toEqual(['GET /free']);
  });

  test('who comes while a folder is removed has a whole one', async () => {
    const http = await source('meanwhile');
    await (await http.fetch(at('/file'), { signal })).release();
    const [folder] = await http.folders.list();
    const removing = http.folders.remove(folder?.name ?? '');
    const fetched = await http.fetch(at('/file'), { signal });
    await removing;
    expect(readFileSync(fileOf(fetched), 'utf8')).toBe(content);
  });
});
