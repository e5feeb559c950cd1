import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { checked, lastErrno, libc, SyscallError } from './libc.ts';
import { closeFd } from './pipe.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MAX_SUN_PATH = 108;
const O_PATH = 0o10000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;
const ENOBUFS = 105;

export interface DatagramSocket {
  /** One message. False: the receiver is full, try again. @throws SyscallError when nobody receives any more. */
  send(message: Uint8Array): boolean;
  close(): void;
}

/** Connect to the first socket file of `paths` that is a datagram socket with a receiver. @throws SyscallError of the last one. */
export function connectDatagram(paths: readonly string[]): DatagramSocket {
  let failure: unknown = new EngineError('invalid', 'Cannot connect: no path');
  for (const path of paths) {
    try {
      return connectOne(path);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function connectOne(path: string): DatagramSocket {
  const fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket', 'make a socket');
  try {
    connectUnix(fd, path);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return {
    send: (message) => {
      const sent = libc.send(fd, message, BigInt(message.length), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (Number(sent) >= 0) return true;
      const errno = lastErrno();
      if (errno === EAGAIN || errno === ENOBUFS) return false;
      throw new SyscallError('send', errno, `send to ${path}`);
    },
    close: () => closeFd(fd),
  };
}

/** Connect a socket of any type to a socket file, whose path may be longer than an address holds. @throws SyscallError */
export function connectUnix(fd: number, path: string): void {
  const directory = openSync(dirname(path), constants.O_DIRECTORY | O_PATH);
  try {
    const name = Buffer.from(`/proc/self/fd/${directory}/${basename(path)}\0`);
    if (name.length > MAX_SUN_PATH)
      throw new EngineError('invalid', `Cannot connect to "${path}": name too long`);
    const address = Buffer.alloc(2 + name.length);
    address.writeUInt16LE(AF_UNIX, 0);
    name.copy(address, 2);
    checked(libc.connect(fd, address, address.length), 'connect', `connect to ${path}`);
  } finally {
    closeSync(directory);
  }
}
