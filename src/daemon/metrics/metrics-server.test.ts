import { afterEach, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { messageOf } from '../../errors/engine-error.ts';
import { MetricsServer, parseMetricsAddress } from './metrics-server.ts';

const open: MetricsServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

let collected = 0;
async function serve(host = '127.0.0.1', port = 0): Promise<MetricsServer> {
  const server = await MetricsServer.listen({ host, port }, () => {
    collected++;
    return Promise.resolve('a 1\n');
  });
  open.push(server);
  return server;
}

test.each([
  ['127.0.0.1:9323', { host: '127.0.0.1', port: 9323 }],
  ['[::1]:9323', { host: '::1', port: 9323 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  [':9323', { host: '', port: 9323 }],
])('%s is an address', (text, address) => {
  expect(parseMetricsAddress(text)).toEqual(address);
});

test.each([
  '9323',
  '127.0.0.1',
  '127.0.0.1:',
  '::1:9323',
  '127.0.0.1:65536',
  '127.0.0.1:http',
  'tcp://127.0.0.1:1',
])('%s is none', (text) => {
  expect(() => parseMetricsAddress(text)).toThrow(`invalid metrics-addr ${JSON.stringify(text)}`);
});

test('GET /metrics is served in the text format, nothing else is, and nothing is collected for it', async () => {
  const { port } = await serve();
  const url = `http://127.0.0.1:${port}`;
  const answer = await fetch(`${url}/metrics`);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await answer.text()).toBe('a 1\n');
  collected = 0;
  expect((await fetch(`${url}/`)).status).toBe(404);
  expect((await fetch(`${url}/metrics/x`)).status).toBe(404);
  expect((await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405);
  expect(collected).toBe(0);
});

test('it listens on its address alone', async () => {
  const { port } = await serve('127.0.0.1');
  const failed = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: '127.0.0.2', port });
    socket.once('error', () => resolve(true));
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });
  expect(failed).toBe(true);
});

test('an address that is taken is one clear error', async () => {
  const { port } = await serve();
  const error = await serve('127.0.0.1', port).catch((caught: unknown) => caught);
  expect(messageOf(error)).toBe(`Cannot serve metrics on 127.0.0.1:${port}: the address is in use`);
});
