import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeDaemon, runCli } from '../../test/support/cli/fake-daemon.ts';

const CONFIG = {
  HttpHeaders: { 'X-Meta': 'm', 'User-Agent': 'another' },
  detachKeys: 'ctrl-x',
  proxies: { default: { httpProxy: 'http://p:1' } },
};
let daemon: FakeDaemon;

beforeAll(async () => {
  daemon = new FakeDaemon({
    'POST /containers/create': { status: 201, body: { Id: 'abc', Warnings: [] } },
    'POST /containers/abc/start': { status: 204, body: '' },
    'POST /containers/web/exec': { status: 201, body: { Id: 'def' } },
    'POST /exec/def/start': { body: '' },
  });
  await daemon.listen();
  mkdirSync(daemon.config, { recursive: true });
  writeFileSync(join(daemon.config, 'config.json'), JSON.stringify(CONFIG));
});
afterAll(() => daemon.close());

test('config.json adds headers, proxies and detach keys to what is sent', async () => {
  expect(await runCli(daemon, ['run', '-d', '-e', 'A=1', 'busybox'])).toMatchObject({ status: 0 });
  expect(await runCli(daemon, ['exec', '-d', 'web', 'ls'])).toMatchObject({ status: 0 });
  const [create, start, exec] = daemon.requests;
  for (const { headers } of daemon.requests) {
    expect(headers['x-meta']).toBe('m');
    expect(headers['user-agent']).toStartWith('Sampan-Client/');
  }
  expect(JSON.parse(create?.body ?? '')).toMatchObject({
    Env: ['A=1', 'HTTP_PROXY=http://p:1', 'http_proxy=http://p:1'],
  });
  expect(start?.line).toContain('detachKeys=ctrl-x');
  expect(JSON.parse(exec?.body ?? '')).toMatchObject({ DetachKeys: 'ctrl-x', Env: [] });
});
