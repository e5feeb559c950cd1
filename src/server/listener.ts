import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { connect, createServer, isIP, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';
import type { ListenAddress } from './listen-address.ts';
import type { ListenerKind } from './server-options.ts';

const FIRST_PASSED_FD = 3;
const PROBE_TIMEOUT_MS = 1000;

export interface BoundListener {
  url: string;
  /** Stop accepting; connections that are open stay. */
  close(): Promise<void>;
}

type Accept = (socket: Socket, kind: ListenerKind) => void;

/** How to serve what comes in. */
export interface ListenerOptions {
  accept: Accept;
  /** More at one time are closed at once, unseen; undefined: any number. */
  maxConnections?: number | undefined;
}

/**
 * Bind an address.
 *
 * @throws EngineError "invalid" for a TCP address that would let strangers in, "conflict" when somebody listens there already.
 */
export async function listen(address: ListenAddress, options: ListenerOptions): Promise<BoundListener[]> {
  switch (address.kind) {
    case 'unix':
      return [await listenUnix(address, options)];
    case 'tcp':
      return [await listenTcp(address, options)];
    case 'fd':
      return Promise.all(passedFds(address.fd).map((fd) => listenFd(fd, options)));
  }
}

async function listenUnix(
  address: Extract<ListenAddress, { kind: 'unix' }>,
  options: ListenerOptions,
): Promise<BoundListener> {
  const { path, group } = address;
  await removeStaleSocket(path);
  const server = plainServer(options, { guarded: false });
  // Nobody may connect before owner and mode are right.
  const umask = process.umask(0o177);
  try {
    const listening = started(server, path);
    server.listen(path);
    await listening;
  } finally {
    process.umask(umask);
  }
  const gid = groupId(group);
  if (gid !== undefined && process.getuid?.() === 0) chownSync(path, 0, gid);
  chmodSync(path, 0o660);
  const { ino } = lstatSync(path);
  return {
    url: `unix://${path}`,
    close: async () => {
      await stopped(server);
      removeIfOurs(path, ino);
    },
  };
}

async function listenTcp(
  address: Extract<ListenAddress, { kind: 'tcp' }>,
  options: ListenerOptions,
): Promise<BoundListener> {
  const { host, port, tls, insecure } = address;
  const verified = tls?.clientCa !== undefined;
  if (!verified && !insecure && !isLoopback(host))
    throw new EngineError(
      'invalid',
      `Cannot listen on tcp://${host}:${port}: whoever reaches it would be root here`,
      {
        hint: 'Use --tlsverify with a CA, or listen on 127.0.0.1; --tls=false says that all who reach it may be root.',
      },
    );
  const kind = { guarded: !verified };
  const server =
    tls === undefined
      ? plainServer(options, kind)
      : createTlsServer(
          {
            allowHalfOpen: true,
            cert: tls.cert,
            key: tls.key,
            ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa }),
            requestCert: verified,
            rejectUnauthorized: verified,
            minVersion: 'TLSv1.2',
          },
          (socket) => options.accept(socket, kind),
        ).on('tlsClientError', (_error, socket) => socket.destroy());
  limit(server, options);
  const listening = started(server, `${host}:${port}`);
  server.listen({ host, port });
  await listening;
  const bound = server.address();
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
  return {
    url: `tcp://${isIP(host) === 6 ? `[${host}]` : host}:${boundPort}`,
    close: () => stopped(server),
  };
}

async function listenFd(fd: number, options: ListenerOptions): Promise<BoundListener> {
  const server = plainServer(options, { guarded: false });
  const listening = started(server, `fd ${fd}`);
  server.listen({ fd });
  await listening;
  return { url: `fd://${fd}`, close: () => stopped(server) };
}

/**
 * The sockets that systemd passed to this process (sd_listen_fds(3)).
 *
 * @throws EngineError "invalid" when there are none, or not the one that was asked for.
 */
function passedFds(wanted: number | undefined): number[] {
  const count = Number(process.env['LISTEN_FDS'] ?? '0');
  const meant = Number(process.env['LISTEN_PID'] ?? '-1') === process.pid;
  const fds = meant && count > 0 ? Array.from({ length: count }, (_, index) => FIRST_PASSED_FD + index) : [];
  if (fds.length === 0)
    throw new EngineError(
      'invalid',
      'no sockets found via socket activation: make sure the service was started by systemd',
    );
  if (wanted === undefined) return fds;
  if (!fds.includes(wanted)) throw new EngineError('invalid', `fd://${wanted} was not passed by systemd`);
  return [wanted];
}

function plainServer(options: ListenerOptions, kind: ListenerKind): Server {
  const server = createServer({ allowHalfOpen: true }, (socket) => options.accept(socket, kind));
  limit(server, options);
  return server;
}

function limit(server: Server, { maxConnections }: ListenerOptions): void {
  if (maxConnections !== undefined) server.maxConnections = maxConnections;
}

/** A socket file that nobody serves is a leftover of a crash; anything else at the path is somebody's. */
async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket())
    throw new EngineError('conflict', `Cannot listen on ${path}: a file that is no socket is in the way`);
  if (await answers(path))
    throw new EngineError('conflict', `Cannot listen on ${path}: another process serves it`);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', (error) => settle(errnoCodeOf(error) === 'EAGAIN'));
  });
}

function removeIfOurs(path: string, ino: number): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.ino === ino) unlinkSync(path);
}

function started(server: Server, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (error) => {
      const kind = errnoCodeOf(error) === 'EADDRINUSE' ? 'conflict' : 'internal';
      reject(new EngineError(kind, `Cannot listen on ${where}: ${messageOf(error)}`, { cause: error }));
    });
  });
}

function stopped(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The callback waits for every connection; that nobody new comes holds at once.
    server.close();
    setImmediate(resolve);
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function groupId(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  try {
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith(`${name}:`));
    return line === undefined ? undefined : Number(line.split(':')[2]);
  } catch {
    return undefined;
  }
}
