import { connect, isIP, type Socket } from 'node:net';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import { CONNECT_TEXT } from './connect-text.ts';

/** A SOCKS5 proxy (RFC 1928), with the login of RFC 1929 where it has one. */
export interface SocksProxy {
  host: string;
  port: number;
  login: { username: Buffer; password: Buffer } | undefined;
}

export interface SocksTarget {
  host: string;
  port: number;
}

const DEFAULT_PORT = 1080;
const VERSION = 5;
const LOGIN_VERSION = 1;
const METHOD_NONE = 0;
const METHOD_LOGIN = 2;
const CONNECT = 1;
const MAX_FIELD_BYTES = 255;

/** RFC 1928, 6: in Go's words. */
const REPLIES = [
  'succeeded',
  'general SOCKS server failure',
  'connection not allowed by ruleset',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'TTL expired',
  'command not supported',
  'address type not supported',
];

/** The proxy of a `socks5://` or `socks5h://` URL; the reason where it can't be one. */
export function socksProxyOf(url: URL): SocksProxy | string {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') return 'it names no host';
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  if (url.username === '' && url.password === '') return { host, port, login: undefined };
  let login: NonNullable<SocksProxy['login']>;
  try {
    login = {
      username: Buffer.from(decodeURIComponent(url.username)),
      password: Buffer.from(decodeURIComponent(url.password)),
    };
  } catch {
    return 'its user or password is not percent-encoded UTF-8';
  }
  const isLong = Math.max(login.username.length, login.password.length) > MAX_FIELD_BYTES;
  if (login.username.length === 0 || isLong)
    return `SOCKS takes a user of 1 to ${MAX_FIELD_BYTES} bytes, and a password of at most as many`;
  return { host, port, login };
}

/** Why there is no way through the proxy, in Go's words: never with the login. */
export class SocksError extends Error {
  constructor(reason: string, { proxy, target }: { proxy: SocksProxy; target: SocksTarget }) {
    super(`socks connect tcp ${addressText(proxy)}->${addressText(target)}: ${reason}`);
  }
}

/**
 * A connection to `target` through `proxy`, which also resolves its name, as with Go. The socket is paused, and the caller's
 * from here on.
 *
 * @throws SocksError; `signal.reason`.
 */
export async function socksConnect(
  proxy: SocksProxy,
  target: SocksTarget,
  signal: AbortSignal,
): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect({ host: proxy.host, port: proxy.port });
  const abort = (): void => void socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await connected(socket);
    await negotiate(socket, proxy, target);
    return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw new SocksError(reasonOf(error, proxy), { proxy, target });
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function connected(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve);
  socket.once('error', reject);
  socket.once('close', () => reject(new Refusal('EOF')));
  return promise;
}

/** Something that the proxy said or did. */
class Refusal extends Error {}

async function negotiate(socket: Socket, { login }: SocksProxy, target: SocksTarget): Promise<void> {
  const methods = login === undefined ? [METHOD_NONE] : [METHOD_NONE, METHOD_LOGIN];
  socket.write(Buffer.from([VERSION, methods.length, ...methods]));
  const [version, method] = await read(socket, 2);
  if (version !== VERSION) throw new Refusal(`unexpected protocol version ${version}`);
  if (method === METHOD_LOGIN && login !== undefined) await logIn(socket, login);
  else if (method !== METHOD_NONE) throw new Refusal('no acceptable authentication methods');
  socket.write(connectRequest(target));
  const [replyVersion, reply = 0, , addressType] = await read(socket, 4);
  if (replyVersion !== VERSION) throw new Refusal(`unexpected protocol version ${replyVersion}`);
  if (reply !== 0) throw new Refusal(`unknown error ${REPLIES[reply] ?? `unknown code: ${reply}`}`);
  await read(socket, (await addressBytes(socket, addressType)) + 2);
}

async function logIn(socket: Socket, login: NonNullable<SocksProxy['login']>): Promise<void> {
  const field = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([bytes.length]), bytes]);
  socket.write(Buffer.concat([Buffer.from([LOGIN_VERSION]), field(login.username), field(login.password)]));
  const [version, status] = await read(socket, 2);
  if (version !== LOGIN_VERSION) throw new Refusal('invalid username/password version');
  if (status !== 0) throw new Refusal('username/password authentication failed');
}

function connectRequest({ host, port }: SocksTarget): Buffer {
  return Buffer.concat([
    Buffer.from([VERSION, CONNECT, 0]),
    addressOf(host),
    Buffer.from([port >> 8, port & 255]),
  ]);
}

/** Type and bytes. A name is the proxy's to resolve. */
function addressOf(host: string): Buffer {
  if (isIP(host) === 4) return Buffer.from([1, ...host.split('.').map(Number)]);
  if (isIP(host) === 6) return Buffer.concat([Buffer.from([4]), ipv6Bytes(host)]);
  const name = Buffer.from(host);
  if (name.length > MAX_FIELD_BYTES) throw new Refusal('FQDN too long');
  return Buffer.concat([Buffer.from([3, name.length]), name]);
}

/** Of what a URL's host can be: hexadecimal groups, one run of them left out. */
function ipv6Bytes(host: string): Buffer {
  const [head = '', tail] = host.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}

async function addressBytes(socket: Socket, type: number | undefined): Promise<number> {
  if (type === 1) return 4;
  if (type === 4) return 16;
  if (type === 3) return (await read(socket, 1))[0] ?? 0;
  throw new Refusal(`unknown address type ${type}`);
}

/** So many bytes and no more: what follows belongs to the target. */
function read(socket: Socket, count: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const look = (): void => {
    const bytes = socket.read(count) as Buffer | null;
    // At its end a stream gives what is left.
    if (bytes !== null) settle(bytes.length === count ? () => resolve(bytes) : end);
  };
  const end = (): void => settle(() => reject(new Refusal('EOF')));
  const fail = (error: Error): void => settle(() => reject(error));
  const settle = (outcome: () => void): void => {
    socket.off('readable', look).off('end', end).off('close', end).off('error', fail);
    outcome();
  };
  socket.on('readable', look).on('end', end).on('close', end).on('error', fail);
  look();
  return promise;
}

function reasonOf(error: unknown, proxy: SocksProxy): string {
  if (error instanceof Refusal) return error.message;
  const code = errnoCodeOf(error) ?? '';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${proxy.host}: no such host`;
  return `dial tcp ${addressText(proxy)}: ${CONNECT_TEXT[code] ?? (code || 'connection failed')}`;
}

function addressText({ host, port }: SocksTarget): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
