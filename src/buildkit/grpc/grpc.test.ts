import { afterEach, describe, expect, test } from 'bun:test';
import http2 from 'node:http2';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { failureOf } from '../../../test/support/failure-of.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { Control } from '../protocol/generated/control_pb.ts';
import { SSH } from '../protocol/generated/sshforward_pb.ts';
import { GrpcClient } from './grpc-client.ts';
import { GrpcServer, type Implementation } from './grpc-server.ts';
import { GRPC, GrpcError } from './grpc-status.ts';
import { frameOf } from './message-frames.ts';

const { signal } = new AbortController();
const { method } = Control;
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, onSocket).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  undo.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function open(control: Implementation<typeof Control>, ssh: Implementation<typeof SSH> = {}) {
  const server = new GrpcServer();
  server.add(Control, control);
  server.add(SSH, ssh);
  const port = await listen((socket) => server.accept(socket));
  const socket = connect(port, '127.0.0.1');
  const client = new GrpcClient(socket);
  undo.push(() => client.close());
  return { client, port, socket };
}

describe('calls', () => {
  test('one question, one answer, with metadata', async () => {
    const { client } = await open({
      solve: async ({ ref, frontendAttrs }, { metadata }) => ({
        exporterResponse: { ref, target: frontendAttrs.target ?? '', id: String(metadata['x-id']) },
      }),
    });
    const answer = await client.call(
      method.solve,
      { ref: 'r1', frontendAttrs: { target: 'prod' } },
      { signal, metadata: { 'x-id': '7' } },
    );
    expect(answer.exporterResponse).toEqual({ ref: 'r1', target: 'prod', id: '7' });
  });

  test('a failure keeps kind and words, whatever stands in them, before and after the first message', async () => {
    const words = 'no such file "ü%"\nsecond line';
    const { client } = await open({
      solve: async () => {
        throw new EngineError('not-found', words);
      },
      status: async function* () {
        yield { logs: [{ msg: new TextEncoder().encode('x') }] };
        throw new EngineError('invalid', words);
      },
    });
    expect(await failureOf(client.call(method.solve, {}, { signal }))).toMatchObject({
      kind: 'not-found',
      message: words,
    });
    const stream = client.open(method.status, { signal });
    await stream.send(new Uint8Array());
    stream.finish();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const bytes of stream.messages()) seen.push(bytes.length);
    })();
    expect(await failureOf(reading)).toMatchObject({ kind: 'invalid', message: words });
    expect(seen).toHaveLength(1);
  });

  test.each([
    ['x', 100_000],
    ['€', 50_000],
    ['😀', 5_000_000],
  ])('a failure of %p %p times is told, shortened', async (letter, times) => {
    const details = [create(AnySchema, { typeUrl: 'x', value: new Uint8Array(100_000) })];
    const { client } = await open({
      solve: async () => {
        throw new GrpcError(GRPC.notFound, `begin ${letter.repeat(times)} end`, details);
      },
    });
    const failure = await failureOf(client.call(method.solve, {}, { signal }));
    expect(failure).toMatchObject({
      kind: 'not-found',
      message: expect.stringMatching(new RegExp(`^begin ${letter}{100,}.*\\[…\\].*${letter}{50,} end$`, 'u')),
    });
  });

  test('a method that is not there is refused by its name', async () => {
    const { client } = await open({});
    expect(await failureOf(client.call(method.info, {}, { signal }))).toMatchObject({
      kind: 'not-implemented',
      message: 'unknown method /moby.buildkit.v1.Control/Info',
    });
  });

  test('100 MB both ways at once come whole', async () => {
    const { client } = await open(
      {},
      {
        forwardAgent: async function* (requests) {
          for await (const { data } of requests) yield { data };
        },
      },
    );
    const stream = client.open(SSH.method.forwardAgent, { signal });
    const piece = frameOf(new Uint8Array(100_000)).subarray(0, 100_000);
    // A message of one field: tag 1, length in three bytes.
    const message = Buffer.concat([Uint8Array.of(0x0a, 0xa0, 0x8d, 0x06), piece]);
    const sent = (async () => {
      for (let count = 0; count < 1000; count++) await stream.send(message);
      stream.finish();
    })();
    let bytes = 0;
    for await (const back of stream.messages()) bytes += back.length;
    await sent;
    expect(bytes).toBe(1000 * message.length);
  }, 60_000);
});

describe('what breaks', () => {
  test('a caller that cancels, or vanishes, ends the work', async () => {
    const ended: string[] = [];
    const started = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { client, socket } = await open({
      solve: async ({ ref }, call) => {
        started[Number(ref)]?.resolve();
        await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve()));
        ended.push(ref);
        return {};
      },
    });
    const cancel = new AbortController();
    const first = failureOf(client.call(method.solve, { ref: '0' }, { signal: cancel.signal }));
    await started[0]?.promise;
    cancel.abort(new EngineError('conflict', 'enough'));
    expect(await first).toMatchObject({ message: 'enough' });
    const second = failureOf(client.call(method.solve, { ref: '1' }, { signal }));
    await started[1]?.promise;
    socket.destroy();
    expect(await second).toMatchObject({ kind: 'unavailable' });
    for (let tries = 0; tries < 200 && ended.length < 2; tries++) await Bun.sleep(10);
    expect(ended).toEqual(['0', '1']);
    await client.closed;
  });

  test.each([
    ['half a message', Buffer.from([0, 0, 0, 0, 9, 1]), '13'],
    ['a compressed one', Buffer.from([1, 0, 0, 0, 1, 1]), '12'],
    ['one of 4 GB', Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]), '8'],
    ['no message', Buffer.from([]), '3'],
    ['one that is no protobuf', Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x7f]), '3'],
  ])('%s is refused, and the connection goes on', async (_, bytes, status) => {
    const { port } = await open({ solve: async () => ({}) });
    const session = http2.connect(`http://127.0.0.1:${port}`);
    undo.push(() => session.destroy());
    const statusOf = async (body: Uint8Array) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/moby.buildkit.v1.Control/Solve',
        'content-type': 'application/grpc',
      });
      const told = new Promise<unknown>((resolve) => {
        stream.on(
          'response',
          (headers) => headers['grpc-status'] !== undefined && resolve(headers['grpc-status']),
        );
        stream.on('trailers', (trailers) => resolve(trailers['grpc-status']));
        stream.on('error', resolve);
      });
      stream.end(body);
      stream.resume();
      return await told;
    };
    expect(await statusOf(bytes)).toBe(status);
    expect(await statusOf(frameOf(new Uint8Array()))).toBe('0');
  });
});
