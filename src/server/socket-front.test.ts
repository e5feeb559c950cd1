import { afterEach, expect, test } from 'bun:test';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { SocketFront } from './socket-front.ts';

const open: { server: Server; front: SocketFront; client: Socket }[] = [];
afterEach(() => {
  for (const { server, front, client } of open.splice(0)) {
    client.destroy();
    front.destroyAll();
    server.close();
  }
});

async function connected(headTimeoutMs: number): Promise<Socket> {
  const front = new SocketFront(
    {
      request: (_message, response) => void response.end('ok'),
      upgrade: (_message, socket) => socket.destroy(),
      http2: (socket) => socket.destroy(),
    },
    { headTimeoutMs },
  );
  const server = createServer({ allowHalfOpen: true }, (socket) => front.accept(socket, { guarded: false }));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = connect(address.port, '127.0.0.1');
  client.on('error', () => undefined);
  open.push({ server, front, client });
  return client;
}

test.each(['POST /containers/x/attach HTTP/1.1\r\nX: ', 'P', 'GET /x HTTP/1.1\r\nX: ', ''])(
  'a head that comes byte by byte has one deadline for all of it: %j',
  async (start) => {
    const client = await connected(300);
    const closed = new Promise<void>((resolve) => client.on('close', () => resolve()));
    client.on('data', () => undefined);
    client.write(start);
    const rest = 'OST /containers/x/attach HTTP/1.1\r\nX: '.padEnd(10_000, 'x');
    let at = 0;
    const drip = setInterval(() => client.write(rest[at++] ?? 'x'), 50);
    await closed;
    clearInterval(drip);
    expect(client.destroyed).toBe(true);
  },
);

test('a head in pieces within its time is served', async () => {
  const client = await connected(30_000);
  const answer = new Promise<string>((resolve) => client.once('data', (data) => resolve(String(data))));
  for (const piece of ['PO', 'ST /x HTT', 'P/1.1\r\nHost: d\r\nContent-Le', 'ngth: 0\r\n\r\n']) {
    client.write(piece);
    await Bun.sleep(20);
  }
  expect(await answer).toStartWith('HTTP/1.1 200 OK');
});

test('a request that was answered may be followed by another, however late', async () => {
  const client = await connected(200);
  const request = 'GET /x HTTP/1.1\r\nHost: d\r\n\r\n';
  for (let count = 0; count < 2; count++) {
    const answer = new Promise<string>((resolve) => client.once('data', (data) => resolve(String(data))));
    client.write(request);
    expect(await answer).toStartWith('HTTP/1.1 200 OK');
    await Bun.sleep(400);
  }
});
