import { describe, expect, test } from 'bun:test';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { BuildkitEndpoint } from '../buildkit/buildkit-endpoint.ts';
import { LazyBuildkit } from './lazy-buildkit.ts';

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const socket = () => new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });

function fixture() {
  const loading = Promise.withResolvers<BuildkitEndpoint>();
  const seen = { loads: 0, accepted: [] as Duplex[], closed: 0 };
  const endpoint = {
    acceptCalls: (taken: Duplex) => seen.accepted.push(taken),
    close: () => seen.closed++,
  } as unknown as BuildkitEndpoint;
  const buildkit = new LazyBuildkit(() => {
    seen.loads++;
    return loading.promise;
  }, logger);
  return { buildkit, seen, loaded: () => loading.resolve(endpoint), failed: loading.reject };
}

describe('LazyBuildkit', () => {
  test('loads with the first client, once, and hands on those who came meanwhile', async () => {
    const { buildkit, seen, loaded } = fixture();
    expect(seen.loads).toBe(0);
    const [first, second] = [socket(), socket()];
    buildkit.acceptCalls(first);
    buildkit.acceptCalls(second);
    loaded();
    await turn();
    expect(seen).toMatchObject({ loads: 1, accepted: [first, second] });
  });

  test('a client that vanishes meanwhile is not handed on, and ends nothing', async () => {
    const { buildkit, seen, loaded } = fixture();
    const lost = socket();
    buildkit.acceptCalls(lost);
    lost.emit('error', new Error('reset'));
    loaded();
    await turn();
    expect(seen.accepted).toEqual([]);
  });

  test('where it cannot be loaded the client is cut off', async () => {
    const { buildkit, failed } = fixture();
    const client = socket();
    buildkit.acceptCalls(client);
    failed(new Error('no such module'));
    await turn();
    expect(client.destroyed).toBe(true);
  });

  test('close() loads nothing', async () => {
    const { buildkit, seen } = fixture();
    await buildkit.close();
    expect(seen).toMatchObject({ loads: 0, closed: 0 });
  });
});
