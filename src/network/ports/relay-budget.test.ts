import { afterEach, beforeEach, expect, test } from 'bun:test';
import { createSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { PortHolding } from './published-ports.ts';
import { RelayBudget } from './relay-budget.ts';
import { relayDatagrams } from './relay-datagrams.ts';
import { relayStreams } from './relay-streams.ts';
import type { Reservation } from './reservation.ts';
import { freePorts, listenAnywhere } from './testing/free-ports.ts';

/** What its containers answer with. */
const GREETING = 'hello';
let container: Server;
let containerPort: number;
let budget: RelayBudget;
const open: Reservation[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  container = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(GREETING);
  });
  containerPort = await listenAnywhere(container);
  budget = new RelayBudget({ total: 8, share: 4 });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const reservation of open.splice(0)) await reservation.close();
  container.close();
});

const member = (containerId: string, hostPort: number): PortHolding => ({
  protocol: 'tcp',
  hostAddress: '127.0.0.1',
  hostPort,
  containerPort,
  target: '127.0.0.1',
  containerId,
  containerName: containerId,
});

async function relay(containerId: string, hostPort: number): Promise<void> {
  const port = member(containerId, hostPort);
  open.push(await relayStreams(port, () => port, budget));
}

/** What comes first; '': the connection was refused. */
function greetingOf(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host: '127.0.0.1', port });
  sockets.push(socket);
  socket.on('data', (data) => resolve(data.toString()));
  socket.on('error', () => resolve(''));
  socket.on('close', () => resolve(''));
  return promise;
}

test('connections beyond the share of a container are refused, those to others are not', async () => {
  const [first, second] = await freePorts();
  await relay('a', first);
  await relay('b', second);
  expect([await greetingOf(first), await greetingOf(first), await greetingOf(first)]).toEqual([
    GREETING,
    GREETING,
    '',
  ]);
  expect(await greetingOf(second)).toBe(GREETING);
});

test('what has ended makes room', async () => {
  const [first] = await freePorts();
  await relay('a', first);
  for (let at = 0; at < 10; at++) {
    expect(await greetingOf(first)).toBe(GREETING);
    sockets.at(-1)?.destroy();
    // Both of its ends have to be closed over there.
    while (!budget.take('a', 4)) await Bun.sleep(1);
    budget.give('a', 4);
  }
});

test('a container that does not listen keeps nothing taken', async () => {
  const [first, closed] = await freePorts();
  containerPort = closed;
  await relay('a', first);
  for (let at = 0; at < 10; at++) expect(await greetingOf(first)).toBe('');
  while (!budget.take('a', 4)) await Bun.sleep(1);
});

test('take() refuses what is beyond the whole, and what was given back can be had again', () => {
  const whole = new RelayBudget({ total: 5, share: 4 });
  expect(whole.take('a', 4)).toBe(true);
  expect(whole.take('b', 2)).toBe(false);
  whole.give('a', 4);
  expect(whole.take('b', 4)).toBe(true);
});

test('a sender of datagrams beyond the share takes the place of the one silent for the longest', async () => {
  const [front, back] = await freePorts();
  const echo = createSocket('udp4');
  echo.on('message', (data, from) => echo.send(data, from.port, from.address));
  await new Promise<void>((done) => echo.bind({ address: '127.0.0.1', port: back }, done));
  containerPort = back;
  const port = { ...member('a', front), protocol: 'udp' as const };
  const relayed = await relayDatagrams(port, () => port, budget);
  const senders = Array.from({ length: 6 }, () => createSocket('udp4'));
  try {
    for (const sender of senders) {
      const answer = new Promise<string>((done) => sender.once('message', (data) => done(data.toString())));
      sender.send('x', front, '127.0.0.1');
      expect(await answer).toBe('x');
    }
    expect(budget.take('a', 1)).toBe(false);
    expect(budget.take('b', 4)).toBe(true);
    budget.give('b', 4);
    await relayed.close();
    expect(budget.take('a', 4)).toBe(true);
  } finally {
    for (const sender of senders) sender.close();
    echo.close();
  }
});
