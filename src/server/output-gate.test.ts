import { expect, test } from 'bun:test';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { BuildEvent } from '../builder/build-progress.ts';
import { OutputGate } from './output-gate.ts';
import { ResponseStream } from './response-stream.ts';

const log = (text: string): BuildEvent => ({
  type: 'log',
  log: { vertex: 'sha256:a' as never, stream: 1, data: new TextEncoder().encode(text), timeNano: 0n },
});
const transfer = (completedNano?: bigint): BuildEvent => ({
  type: 'transfer',
  transfer: {
    id: 'x',
    vertex: 'sha256:a' as never,
    name: 'x',
    current: 1,
    total: 2,
    timeNano: 0n,
    startedNano: 0n,
    ...(completedNano === undefined ? {} : { completedNano }),
  },
});
const textOf = (event: BuildEvent | undefined) =>
  event?.type === 'log' ? new TextDecoder().decode(event.log.data) : undefined;

test('what steps print is left out while too much waits, which is said once; the rest is told', () => {
  let waiting = 0;
  const gate = new OutputGate(() => waiting);
  expect(textOf(gate.pass(log('one')))).toBe('one');
  waiting = (8 << 20) + 1;
  expect(textOf(gate.pass(log('two')))).toBe('\n[output clipped: its reader is too slow]\n');
  expect(gate.pass(log('three'))).toBeUndefined();
  expect(gate.pass(transfer())).toBeUndefined();
  expect(gate.pass(transfer(1n))).toBeDefined();
  expect(gate.pass({ type: 'plan', declaredArgs: [], lines: [] })).toBeDefined();
  waiting = 0;
  expect(textOf(gate.pass(log('four')))).toBe('four');
  waiting = (8 << 20) + 1;
  expect(textOf(gate.pass(log('five')))).toContain('clipped');
});

test('a stream knows how much its reader has not taken, and waits for it with one listener', async () => {
  const begun = Promise.withResolvers<ServerResponse>();
  const server = createServer((_, response) => begun.resolve(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const response = await begun.promise;
    const stream = new ResponseStream(response);
    const writes = Array.from({ length: 64 }, () => stream.write(new Uint8Array(1 << 20)));
    expect(stream.waitingBytes).toBeGreaterThan(32 << 20);
    expect(response.listenerCount('drain')).toBeLessThanOrEqual(2);
    socket.resume();
    await Promise.all(writes);
    for (let tries = 0; stream.waitingBytes > 0 && tries < 200; tries++) await Bun.sleep(10);
    expect(stream.waitingBytes).toBe(0);
  } finally {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  }
});
