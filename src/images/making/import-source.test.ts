import { afterAll, expect, test } from 'bun:test';
import type { EngineError } from '../../errors/engine-error.ts';
import { startSocksServer } from '../../registry/testing/socks-server.ts';
import { openImportSource } from './import-source.ts';

let sent = 0;
const web = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: ({ url }) => {
    if (url.endsWith('/there')) return new Response('an archive');
    if (url.endsWith('/moved')) return Response.redirect('/there');
    if (url.endsWith('/round')) return Response.redirect('/round');
    if (url.endsWith('/out')) return Response.redirect('file:///etc/passwd');
    const endless = new ReadableStream<Uint8Array>({
      async pull(controller) {
        sent += 1 << 20;
        // Without this, a reader of all that comes would fail by its memory.
        if (sent > 1 << 26) return controller.close();
        controller.enqueue(new Uint8Array(1 << 20).fill(0x78));
        await Bun.sleep(1);
      },
    });
    return new Response(endless, { status: 404 });
  },
});
afterAll(() => web.stop(true));
const at = `127.0.0.1:${web.port}`;
const options = { signal: new AbortController().signal, proxy: {} };

test('openImportSource() tells the beginning of a refusal that has no end', async () => {
  const error: EngineError = await openImportSource(`${at}/gone`, options).catch((reason) => reason);
  expect(error.kind).toBe('not-found');
  expect(error.message).toBe(
    `failed to GET http://${at}/gone with status 404 Not Found: ${'x'.repeat(1000)}`,
  );
  expect(sent).toBeLessThan(1 << 25);
});

test('openImportSource() shows no password', async () => {
  const source = await openImportSource(`http://me:hunter2@${at}/there`, options);
  expect(source.url).toBe(`http://me:***@${at}/there`);
  expect(await new Response(source.stream).text()).toBe('an archive');
  for (const url of [`http://me:hunter2@${at}/gone`, 'http://me:hunter2@127.0.0.1:1/']) {
    const error: EngineError = await openImportSource(url, options).catch((reason) => reason);
    expect(error.message).toContain('http://me:***@127.0.0.1');
    expect(Bun.inspect(error)).not.toContain('hunter2');
  }
});

test('openImportSource() goes where it is redirected to, not for ever, and to no file', async () => {
  expect(await new Response((await openImportSource(`${at}/moved`, options)).stream).text()).toBe(
    'an archive',
  );
  for (const [path, reason] of [
    ['round', 'stopped after 10 redirects'],
    ['out', 'unsupported protocol scheme "file"'],
  ]) {
    const error: EngineError = await openImportSource(`${at}/${path}`, options).catch((reason) => reason);
    expect(error.message).toContain(reason ?? '');
  }
});

test('openImportSource() goes through the proxy that is set', async () => {
  const proxy = await startSocksServer({ port: web.port ?? 0 });
  try {
    const http = `socks5://${proxy.address}`;
    const source = await openImportSource('archives.invalid/moved', { ...options, proxy: { http } });
    expect(await new Response(source.stream).text()).toBe('an archive');
    expect(proxy.asked.map(({ target }) => target)).toEqual(['archives.invalid:80', 'archives.invalid:80']);
  } finally {
    await proxy.close();
  }
});

test('openImportSource() tells in words of Go why nobody answers', async () => {
  const error: EngineError = await openImportSource('127.0.0.1:1/x', options).catch((reason) => reason);
  expect(error.message).toBe('Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused');
});
