import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors/engine-error.ts';
import { libc } from '../../sys/libc.ts';
import { Pidfd } from '../../sys/pidfd.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** `struct ucred`: pid, uid, gid. */
const UCRED_BYTES = 12;
const SIGKILL = 9;
const END_PATIENCE_MS = 5000;

/** The helper at the other end of a control connection, to be ended for sure: one that hangs may wake up later and do what nobody waits for. */
export class HelperProcess {
  readonly #pidfd: Pidfd;

  private constructor(pidfd: Pidfd) {
    this.#pidfd = pidfd;
  }

  /** Who listens at `controlPath`, to which `socket` is connected. Undefined: it is gone, or can't be told. */
  static behind(socket: Socket, controlPath: string): HelperProcess | undefined {
    const pid = peerPid(socket);
    const pidfd = pid === undefined ? undefined : Pidfd.open(pid);
    if (pidfd === undefined) return undefined;
    // Its number may be another's by now.
    if (lastArgumentOf(pidfd.pid) === controlPath) return new HelperProcess(pidfd);
    pidfd.close();
    return undefined;
  }

  /** Returns once it has no socket any more. Ended already is fine. @throws EngineError when the kernel can't end it (a disk that hangs). */
  async kill(): Promise<void> {
    if (!this.#pidfd.signal(SIGKILL)) return;
    const ended = this.#pidfd.exited().then(() => true);
    if (await Promise.race([ended, sleep(END_PATIENCE_MS, false, { ref: false })])) return;
    throw new EngineError('internal', `Process ${this.#pidfd.pid} does not end`);
  }

  /** It is left as it is. */
  close(): void {
    this.#pidfd.close();
  }
}

function peerPid(socket: Socket): number | undefined {
  const fd = (socket as { _handle?: { fd?: unknown } | null })._handle?.fd;
  if (typeof fd !== 'number') return undefined;
  const credentials = Buffer.alloc(UCRED_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_BYTES);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0) return undefined;
  const pid = credentials.readInt32LE(0);
  // 0: of another pid namespace.
  return pid > 0 ? pid : undefined;
}

function lastArgumentOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').at(-2);
  } catch {
    return undefined;
  }
}
