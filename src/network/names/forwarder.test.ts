import { afterEach, beforeEach, expect, test } from 'bun:test';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import { EventLoop } from '../../sys/event-loop.ts';
import { patience } from '../../sys/testing/patience.ts';
import { Forwarder } from './forwarder.ts';

const question = { type: 'A', name: 'example.org', class: 'IN' } as const;
const query = encode({ type: 'query', id: 4711, flags: 0x100, questions: [question] });

function answer(records: number, change: Partial<Packet> = {}): Buffer {
  const data = { type: 'A', name: 'example.org', ttl: 60, data: '192.0.2.1' } as const;
  return encode({
    type: 'response',
    id: 4711,
    flags: 0x180,
    questions: [question],
    answers: Array.from({ length: records }, () => data),
    ...change,
  });
}

/** A server of outside that says what it is told to, by either way. */
class Upstream {
  readonly #udp: UdpSocket = createSocket('udp4');
  readonly #tcp: Server = createServer((client) => this.#serve(client));
  readonly asked: string[] = [];
  udp: Buffer[] = [];
  tcp: Buffer[] = [];
  readonly #clients = new Set<Socket>();

  async open(address: string, port = 0): Promise<number> {
    await new Promise<void>((done) => this.#tcp.listen({ host: address, port }, done));
    const bound = this.#tcp.address();
    const chosen = typeof bound === 'object' && bound !== null ? bound.port : port;
    await new Promise<void>((done) => this.#udp.bind({ address, port: chosen }, done));
    this.#udp.on('message', (_data, from) => {
      this.asked.push('udp');
      for (const message of this.udp) this.#udp.send(message, from.port, from.address);
    });
    return chosen;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await new Promise<void>((done) => this.#udp.close(() => done()));
    await new Promise<void>((done) => this.#tcp.close(() => done()));
  }

  #serve(client: Socket): void {
    this.#clients.add(client);
    client.on('error', () => undefined);
    client.on('data', () => {
      this.asked.push('tcp');
      for (const message of this.tcp) {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(message.length);
        client.write(Buffer.concat([length, message]));
      }
    });
  }
}

let first: Upstream;
let second: Upstream;
let port: number;

beforeEach(async () => {
  first = new Upstream();
  second = new Upstream();
  port = await first.open('127.0.0.1');
  await second.open('127.0.0.2', port);
});
afterEach(async () => {
  await first.close();
  await second.close();
});

/** The loop of the name server blocks its thread: here it looks in between those of the servers. */
async function ask(options: { limitBytes?: number; protocol?: 'udp' | 'tcp' } = {}): Promise<Buffer> {
  const loop = new EventLoop();
  const forwarder = new Forwarder(loop, { port });
  const replies: Buffer[] = [];
  const { limitBytes = 512, protocol = 'udp' } = options;
  forwarder.ask({
    asker: 'a',
    query,
    protocol,
    limitBytes,
    servers: ['127.0.0.1', '127.0.0.2'],
    inNetwork: (open) => open(),
    reply: (reply) => replies.push(reply),
  });
  while (replies.length === 0) {
    loop.turn(0);
    forwarder.expire(performance.now());
    await Bun.sleep(1);
  }
  // Nothing is left that could answer a second time.
  expect(forwarder.dueInMs(performance.now())).toBeUndefined();
  expect(replies).toHaveLength(1);
  return replies[0]!;
}

const CUT = answer(0, { flags: 0x380 });

test('an answer goes to the asker as it is', async () => {
  first.udp = [answer(2)];
  expect(await ask()).toEqual(answer(2));
  expect(first.asked).toEqual(['udp']);
});

test('a cut answer is asked for again by TCP, and given whole to who takes that much', async () => {
  first.udp = [CUT];
  first.tcp = [answer(30)];
  expect(answer(30).length).toBeWithin(513, 4096);
  expect(await ask({ limitBytes: 4096 })).toEqual(answer(30));
  expect(first.asked).toEqual(['udp', 'tcp']);
});

test('who takes less hears of the cut', async () => {
  first.udp = [CUT];
  first.tcp = [answer(30)];
  expect(await ask()).toEqual(CUT);
  expect(await ask({ protocol: 'tcp', limitBytes: 65_535 })).toEqual(answer(30));
});

test('a server that cuts and does not serve TCP is still of use', async () => {
  first.udp = [CUT];
  first.tcp = [answer(1, { id: 1 })];
  expect(await ask({ limitBytes: 4096 })).toEqual(CUT);
});

test('more than the asker takes is cut', async () => {
  first.udp = [answer(100)];
  const reply = await ask();
  expect(reply.length).toBeLessThanOrEqual(512);
  expect(decode(reply)).toMatchObject({ flag_tc: true, answers: [] });
});

const loop = answer(0);
loop.writeUInt16BE(1, 6);
const HOSTILE = [
  answer(1, { id: 4712 }),
  answer(1, { questions: [{ ...question, name: 'example.net' }] }),
  Buffer.concat([loop, Buffer.from([0xc0, loop.length])]),
  Buffer.alloc(1000, 0xff),
  Buffer.alloc(3),
  query,
];

test('what is no answer is passed over, and the right one behind it taken', async () => {
  first.udp = [...HOSTILE, answer(2)];
  expect(await ask()).toEqual(answer(2));
  expect(second.asked).toEqual([]);
});

test('a server that has nothing else to say is left after its time, for the next', async () => {
  first.udp = HOSTILE;
  second.udp = [answer(1)];
  expect(await ask()).toEqual(answer(1));
  expect([first.asked, second.asked]).toEqual([['udp'], ['udp']]);
});

test('by TCP what is no answer ends the connection, and the next is asked at once', async () => {
  first.tcp = [answer(1, { id: 1 })];
  second.tcp = [answer(1)];
  expect(await ask({ protocol: 'tcp', limitBytes: 65_535 })).toEqual(answer(1));
});

test('of servers that all lie, the asker hears that there was no answer', async () => {
  first.tcp = HOSTILE;
  second.tcp = HOSTILE;
  expect(decode(await ask({ protocol: 'tcp', limitBytes: 65_535 }))).toMatchObject({ rcode: 'SERVFAIL' });
});

test(
  'one that asks without end takes nothing from others',
  async () => {
    const loop = new EventLoop();
    const forwarder = new Forwarder(loop, { port });
    const refused: Buffer[] = [];
    const common = {
      query,
      protocol: 'udp' as const,
      limitBytes: 512,
      inNetwork: <T>(open: () => T) => open(),
    };
    // Another server's: what it does not read would be lost at the first's.
    for (let at = 0; at < 2000; at++)
      forwarder.ask({
        ...common,
        asker: 'greedy',
        servers: ['127.0.0.2'],
        reply: (reply) => refused.push(reply),
      });
    expect(refused.length).toBeWithin(1000, 2000);
    expect(decode(refused[0]!)).toMatchObject({ rcode: 'SERVFAIL' });
    first.udp = [answer(1)];
    const replies: Buffer[] = [];
    forwarder.ask({
      ...common,
      asker: 'modest',
      servers: ['127.0.0.1'],
      reply: (reply) => replies.push(reply),
    });
    while (replies.length === 0) {
      loop.turn(0);
      forwarder.expire(performance.now());
      await Bun.sleep(1);
    }
    expect(replies).toEqual([answer(1)]);
    // What was answered, or given up, makes room again.
    while (forwarder.dueInMs(performance.now()) !== undefined) {
      loop.turn(0);
      forwarder.expire(performance.now());
      await Bun.sleep(1);
    }
    const later: Buffer[] = [];
    forwarder.ask({
      ...common,
      asker: 'greedy',
      servers: ['127.0.0.2'],
      reply: (reply) => later.push(reply),
    });
    expect(later).toEqual([]);
    forwarder.expire(Number.POSITIVE_INFINITY);
  },
  30_000 * patience,
);
