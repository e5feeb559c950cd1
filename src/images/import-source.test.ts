import { afterAll, expect, test } from 'bun:test';
import type { EngineError } from '../errors/engine-error.ts';
import { openImportSource } from './import-source.ts';

let sent = 0;
const web = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: ({ url }) => {
    if (url.endsWith('/there')) return new Response('an archive');
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
const { signal } = new AbortController();

test('openImportSource() tells the beginning of a refusal that has no end', async () => {
  const error: EngineError = await openImportSource(`${at}/gone`, signal).catch((reason) => reason);
  expect(error.kind).toBe('not-found');
  expect(error.message).toBe(
    `failed to GET http://${at}/gone with status 404 Not Found: ${'x'.repeat(1000)}`,
  );
  expect(sent).toBeLessThan(1 << 25);
});

test('openImportSource() shows no password', async () => {
  const source = await openImportSource(`http://me:hunter2@${at}/there`, signal);
  expect(source.url).toBe(`http://me:***@${at}/there`);
  expect(await new Response(source.stream).text()).toBe('an archive');
  for (const url of [`http://me:hunter2@${at}/gone`, 'http://me:hunter2@127.0.0.1:1/']) {
    const error: EngineError = await openImportSource(url, signal).catch((reason) => reason);
    expect(error.message).toContain('http://me:***@127.0.0.1');
    expect(error.message).not.toContain('hunter2');
  }
});
