import { connect, createServer, type Socket } from 'node:net';

export interface SocksServer {
  address: string;
  /** `host:port` of each CONNECT, and the login that came before it. */
  asked: { target: string; login: string | undefined; addressType: number }[];
  /** Connections that are open. */
  open(): number;
  close(): Promise<void>;
}

export interface SocksOptions {
  /** `user:password`: wanted of everybody. */
  login?: string;
  /** The reply's code for a CONNECT; 0 by default. */
  reply?: number;
  /** Instead of any answer. */
  greeting?: Uint8Array;
  /** Where all targets are. */
  port: number;
}

/** A SOCKS5 server on loopback. It sends its side of the talk byte by byte, and the target's first bytes with its last. */
export async function startSocksServer(options: SocksOptions): Promise<SocksServer> {
  const asked: SocksServer['asked'] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    void talk(socket, options, asked).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return {
    address: `127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`,
    asked,
    open: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function talk(socket: Socket, options: SocksOptions, asked: SocksServer['asked']): Promise<void> {
  let received = Buffer.alloc(0);
  let arrived = Promise.withResolvers<void>();
  const take = async (count: number): Promise<Buffer> => {
    while (received.length < count) await arrived.promise;
    const bytes = received.subarray(0, count);
    received = received.subarray(count);
    return bytes;
  };
  const gather = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    arrived.resolve();
    arrived = Promise.withResolvers<void>();
  };
  socket.on('data', gather);
  const say = async (...bytes: number[]): Promise<void> => {
    for (const byte of bytes) {
      socket.write(Buffer.from([byte]));
      await Bun.sleep(0);
    }
  };
  if (options.greeting !== undefined) return void socket.end(options.greeting);
  const [, count = 0] = await take(2);
  const methods = [...(await take(count))];
  const method = options.login === undefined ? 0 : 2;
  if (!methods.includes(method)) return void socket.end(Buffer.from([5, 255]));
  await say(5, method);
  const login = method === 2 ? await readLogin(take) : undefined;
  if (method === 2) await say(1, login === options.login ? 0 : 1);
  if (login !== options.login) return void socket.end();
  const [, , , addressType = 0] = await take(4);
  const host = await readAddress(addressType, take);
  const port = (await take(2)).readUInt16BE();
  asked.push({ target: `${host}:${port}`, login, addressType });
  if (options.reply !== undefined)
    return void socket.end(Buffer.from([5, options.reply, 0, 1, 0, 0, 0, 0, 0, 0]));
  // With a name as the address that it is bound to: the longest form of the answer.
  await say(5, 0, 0, 3, 2, 0x61, 0x62, 0, 0);
  const target = connect({ host: '127.0.0.1', port: options.port });
  target.on('error', () => socket.destroy());
  target.on('close', () => socket.destroy());
  socket.on('close', () => target.destroy());
  socket.off('data', gather);
  if (received.length > 0) target.write(received);
  socket.pipe(target);
  target.pipe(socket);
}

async function readLogin(take: (count: number) => Promise<Buffer>): Promise<string> {
  const [, length = 0] = await take(2);
  const user = await take(length);
  const [passwordLength = 0] = await take(1);
  return `${String(user)}:${String(await take(passwordLength))}`;
}

async function readAddress(type: number, take: (count: number) => Promise<Buffer>): Promise<string> {
  if (type === 1) return [...(await take(4))].join('.');
  if (type === 4) return (await take(16)).toString('hex');
  const [length = 0] = await take(1);
  return String(await take(length));
}
