import { unlinkSync } from 'node:fs';
import { errnoCodeOf } from '../errors/engine-error.ts';
import { errno } from './errno.ts';
import { formatIp } from './ip.ts';
import { checked, lastErrno, libc, SyscallError } from './libc.ts';
import { ipBytes } from './links.ts';

const AF = { unix: 1, inet: 2, inet6: 10 };
const SOCK = { stream: 1, dgram: 2, nonblock: 0o4000, cloexec: 0o2000000 };
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const IPPROTO_IPV6 = 41;
const IPPROTO_SCTP = 132;
const IPV6_V6ONLY = 26;
const MSG_NOSIGNAL = 0x4000;

export interface SocketAddress {
  address: string;
  port: number;
}

/** Bytes of a `sockaddr`, as the kernel gave or takes them. */
export type RawAddress = Buffer;

/** A socket of the network namespace that the calling thread is in; never blocks. */
export function openSocket(kind: 'udp' | 'tcp' | 'sctp', family: 4 | 6): number {
  const type = (kind === 'udp' ? SOCK.dgram : SOCK.stream) | SOCK.nonblock | SOCK.cloexec;
  const protocol = kind === 'sctp' ? IPPROTO_SCTP : 0;
  return checked(libc.socket(family === 4 ? AF.inet : AF.inet6, type, protocol), 'socket', 'make a socket');
}

/** @throws SyscallError (EADDRINUSE …) */
export function bindSocket(fd: number, { address, port }: SocketAddress): void {
  const raw = encodeAddress({ address, port });
  if (address.includes(':')) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  checked(libc.bind(fd, raw, raw.length), 'bind', `listen on port ${port} of ${address}`);
}

export function listenOn(fd: number): void {
  checked(libc.listen(fd, 128), 'listen', 'listen');
}

export function reuseAddress(fd: number): void {
  setOption(fd, SOL_SOCKET, SO_REUSEADDR);
}

function setOption(fd: number, level: number, option: number): void {
  const on = Buffer.from([1, 0, 0, 0]);
  checked(libc.setsockopt(fd, level, option, on, 4), 'setsockopt', 'set up a socket');
}

export function localPort(fd: number): number {
  const raw = Buffer.alloc(28);
  const length = Buffer.from([28, 0, 0, 0]);
  checked(libc.getsockname(fd, raw, length), 'getsockname', 'read the port of a socket');
  return raw.readUInt16BE(2);
}

/** Under way, or done: `connectionError` tells once the socket can be written. @throws SyscallError when it failed at once. */
export function connectSocket(fd: number, to: SocketAddress): void {
  const raw = encodeAddress(to);
  if (libc.connect(fd, raw, raw.length) === 0) return;
  const number = lastErrno();
  if (number !== errno.EINPROGRESS) throw new SyscallError('connect', number, `connect to ${to.address}`);
}

/** 0: connected. */
export function connectionError(fd: number): number {
  const value = Buffer.alloc(4);
  const length = Buffer.from([4, 0, 0, 0]);
  checked(
    libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length),
    'getsockopt',
    'read the state of a socket',
  );
  return value.readInt32LE(0);
}

/** A stream socket at `path`, in place of what a dead process has left there. */
export function listenUnix(path: string): number {
  const type = SOCK.stream | SOCK.nonblock | SOCK.cloexec;
  const fd = checked(libc.socket(AF.unix, type, 0), 'socket', 'make a socket');
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
  const name = Buffer.from(`${path}\0`);
  const raw = Buffer.alloc(2 + name.length);
  raw.writeUInt16LE(AF.unix, 0);
  name.copy(raw, 2);
  checked(libc.bind(fd, raw, raw.length), 'bind', `listen on ${path}`);
  listenOn(fd);
  return fd;
}

/** Undefined: nobody waits. */
export function acceptFrom(fd: number): number | undefined {
  const accepted = libc.accept4(fd, null, null, SOCK.nonblock | SOCK.cloexec);
  return accepted < 0 ? undefined : accepted;
}

/** One datagram and who sent it; undefined when there is none. */
export function receiveFrom(fd: number, into: Buffer): { data: Buffer; from: RawAddress } | undefined {
  const from = Buffer.alloc(28);
  const length = Buffer.from([28, 0, 0, 0]);
  const size = Number(libc.recvfrom(fd, into, into.length, 0, from, length));
  if (size < 0) return undefined;
  return { data: Buffer.from(into.subarray(0, size)), from: from.subarray(0, length.readUInt32LE(0)) };
}

/** As UDP has it: what the kernel can't take is lost. */
export function sendTo(fd: number, data: Buffer, to: RawAddress): void {
  libc.sendto(fd, data, data.length, MSG_NOSIGNAL, to, to.length);
}

/** How many bytes the kernel took; undefined: the connection is gone. */
export function sendSome(fd: number, data: Buffer): number | undefined {
  const sent = Number(libc.send(fd, data, data.length, MSG_NOSIGNAL));
  if (sent >= 0) return sent;
  return lastErrno() === errno.EAGAIN ? 0 : undefined;
}

/** What has come; 'later' when nothing is there yet; undefined at the end or when the connection is gone. */
export function receiveSome(fd: number, into: Buffer): Buffer | 'later' | undefined {
  const size = Number(libc.recv(fd, into, into.length, 0));
  if (size > 0) return Buffer.from(into.subarray(0, size));
  if (size === 0) return undefined;
  return lastErrno() === errno.EAGAIN ? 'later' : undefined;
}

export function closeSocket(fd: number): void {
  libc.close(fd);
}

/** As a text, for comparison and for logs. */
export function addressText(raw: RawAddress): string {
  const family = raw.readUInt16LE(0);
  const bytes = family === AF.inet ? raw.subarray(4, 8) : raw.subarray(8, 24);
  const value = BigInt(`0x${bytes.toString('hex')}`);
  return formatIp({ family: family === AF.inet ? 4 : 6, value });
}

function encodeAddress({ address, port }: SocketAddress): RawAddress {
  const { family, bytes } = ipBytes(address);
  const raw = Buffer.alloc(family === 4 ? 16 : 28);
  raw.writeUInt16LE(family === 4 ? AF.inet : AF.inet6, 0);
  raw.writeUInt16BE(port, 2);
  bytes.copy(raw, family === 4 ? 4 : 8);
  return raw;
}
