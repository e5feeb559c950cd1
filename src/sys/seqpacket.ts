import { EngineError } from '../errors/engine-error.ts';
import { connectUnix } from './datagram.ts';
import { checked, libc } from './libc.ts';
import { closeFd } from './pipe.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;

export interface SeqpacketHandler {
  /** One packet. The bytes are the caller's only until it returns. */
  packet(data: Uint8Array): void;
  /** The other side has left, or `end` was called. Last call. */
  closed(): void;
}

/** A packet socket that keeps the borders of what is written. */
export interface SeqpacketConnection {
  /** One packet, whole or not at all. Resolves when the kernel has taken it. Rejects with "conflict" once closed. Calls are kept in order. */
  write(data: Uint8Array): Promise<void>;
  /** No more packets come while paused; the sender waits. */
  pause(): void;
  resume(): void;
  /** Send no more; what the other side sends still arrives. Waits for earlier writes. */
  shutdown(): Promise<void>;
  end(): void;
}

/**
 * Connect to a `SOCK_SEQPACKET` socket file. The path may be longer than a socket address holds.
 *
 * @throws SyscallError (ENOENT, ECONNREFUSED …) when nobody listens.
 */
export async function connectSeqpacket(
  path: string,
  handler: SeqpacketHandler,
): Promise<SeqpacketConnection> {
  const fd = checked(libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), 'socket', 'make a socket');
  try {
    connectUnix(fd, path);
    return await adopt(fd, handler);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

async function adopt(fd: number, handler: SeqpacketHandler): Promise<SeqpacketConnection> {
  const connection = new AdoptedConnection(handler);
  const socket = await Bun.connect({
    fd,
    allowHalfOpen: true,
    socket: {
      data: (_socket: unknown, data: Uint8Array) => handler.packet(data),
      drain: () => connection.drained(),
      end: () => connection.end(),
      error: () => connection.end(),
      close: () => connection.closed(),
    },
  } as unknown as Parameters<typeof Bun.connect>[0]);
  connection.use(socket as unknown as AdoptedSocket);
  return connection;
}

interface AdoptedSocket {
  write(data: Uint8Array): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  terminate(): void;
}

class AdoptedConnection implements SeqpacketConnection {
  readonly #handler: SeqpacketHandler;
  #socket: AdoptedSocket | undefined;
  #closed = false;
  #tail: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;

  constructor(handler: SeqpacketHandler) {
    this.#handler = handler;
  }

  use(socket: AdoptedSocket): void {
    this.#socket = socket;
    if (this.#closed) socket.terminate();
  }

  write(data: Uint8Array): Promise<void> {
    return this.#inTurn(() => this.#send(data));
  }

  shutdown(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#closed) this.#socket?.shutdown();
    });
  }

  pause(): void {
    if (!this.#closed) this.#socket?.pause();
  }

  resume(): void {
    if (!this.#closed) this.#socket?.resume();
  }

  end(): void {
    if (this.#closed) return;
    this.#socket?.terminate();
    this.closed();
  }

  drained(): void {
    this.#wake?.();
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake?.();
    this.#handler.closed();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #send(data: Uint8Array): Promise<void> {
    for (;;) {
      if (this.#closed || this.#socket === undefined) {
        throw new EngineError('conflict', 'Cannot write: the other side has left');
      }
      const drained = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const taken = this.#socket.write(data);
      if (taken === data.length) return;
      if (taken > 0) throw new EngineError('internal', `Packet of ${data.length} bytes cut to ${taken}`);
      await drained;
    }
  }
}
