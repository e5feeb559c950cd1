import { checked, libc } from './libc.ts';
import { closeFd } from './pipe.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MAX_SUN_PATH = 108;

/** `READY=1`, `RELOADING=1`, `STOPPING=1`. Never fails, never waits. */
export type Notify = (...states: string[]) => void;

/**
 * How to tell systemd of our state, where it asked to be told (`NOTIFY_SOCKET`): one datagram from this very process, so that `NotifyAccess=main` holds.
 * The address is taken out of our environment, as programs that we start have nothing to tell: crun would offer its container a socket for that, and
 * fail where the one that made the container had not been asked to.
 */
export function takeNotifySocket(environment: Record<string, string | undefined> = process.env): Notify {
  const path = environment['NOTIFY_SOCKET'];
  delete environment['NOTIFY_SOCKET'];
  if (path === undefined || !/^[/@]./.test(path)) return () => undefined;
  return (...states) => {
    try {
      send(path, Buffer.from(states.join('\n')));
    } catch {
      // Nobody to tell.
    }
  };
}

function send(path: string, message: Buffer): void {
  // A leading `@` stands for the NUL of an abstract address.
  const name = Buffer.from(path.replace(/^@/, '\0'));
  if (name.length >= MAX_SUN_PATH) return;
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  const fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket', 'make a socket');
  try {
    checked(libc.connect(fd, address, address.length), 'connect', `connect to ${path}`);
    libc.send(fd, message, message.length, MSG_NOSIGNAL | MSG_DONTWAIT);
  } finally {
    closeFd(fd);
  }
}
