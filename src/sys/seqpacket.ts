import { EngineError } from '../errors/engine-error.ts';
import { connectUnix } from './datagram.ts';
import { checked, libc } from './libc.ts';
import { PacketReader } from './packet-reader.ts';
import { closeFd } from './pipe.ts';
import { widenSender } from './widen-sender.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
/** So many full packets in a row, and a sender is busy: its packets are taken in batches. */
const BUSY_AFTER_PACKETS = 8;
/** How long a busy sender's packets gather. */
const GATHER_MS = 1;
/** After so many looks that brought next to nothing the sender is busy no more. */
const CALM_AFTER_LOOKS = 16;
const SENDER_BUFFER_BYTES = 1 << 20;

export interface SeqpacketHandler {
  /** What followed the first byte, the kind, of one packet or of several of that kind. The bytes are the handler's to keep. */
  packet(kind: number, data: Uint8Array): void;
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
 * Connect to a `SOCK_SEQPACKET` socket file. The path may be longer than a socket address holds. The other side sends packets of
 * `maxPacketBytes` at most, and all of that size while it has much to say.
 *
 * @throws SyscallError (ENOENT, ECONNREFUSED …) when nobody listens.
 */
export async function connectSeqpacket(
  path: string,
  { handler, maxPacketBytes }: { handler: SeqpacketHandler; maxPacketBytes: number },
): Promise<SeqpacketConnection> {
  const fd = checked(libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), 'socket', 'make a socket');
  try {
    connectUnix(fd, path);
    return await adopt(fd, new AdoptedConnection(fd, { handler, maxPacketBytes }));
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

async function adopt(fd: number, connection: AdoptedConnection): Promise<SeqpacketConnection> {
  const socket = await Bun.connect({
    fd,
    allowHalfOpen: true,
    socket: {
      data: (_socket: unknown, data: Uint8Array) => connection.received(data),
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

/**
 * Bun hands over one packet per look of its event loop, which is right for a sender that says little. A busy one's are left to gather for a
 * moment and taken all at once, past Bun.
 */
class AdoptedConnection implements SeqpacketConnection {
  readonly #fd: number;
  readonly #handler: SeqpacketHandler;
  readonly #maxPacketBytes: number;
  #socket: AdoptedSocket | undefined;
  #closed = false;
  #paused = false;
  #fullPackets = 0;
  /** There while the sender is busy; Bun's own reading stands still then. */
  #reader: PacketReader | undefined;
  #calmLooks = 0;
  #widened = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tail: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;

  constructor(fd: number, options: { handler: SeqpacketHandler; maxPacketBytes: number }) {
    this.#fd = fd;
    this.#handler = options.handler;
    this.#maxPacketBytes = options.maxPacketBytes;
  }

  use(socket: AdoptedSocket): void {
    this.#socket = socket;
    if (this.#closed) socket.terminate();
  }

  received(data: Uint8Array): void {
    this.#fullPackets = data.length === this.#maxPacketBytes ? this.#fullPackets + 1 : 0;
    if (data.length > 1) this.#handler.packet(data[0] ?? 0, data.slice(1));
    if (this.#fullPackets >= BUSY_AFTER_PACKETS && !this.#paused && !this.#closed) this.#becomeBusy();
  }

  #becomeBusy(): void {
    this.#fullPackets = 0;
    try {
      this.#reader = new PacketReader(this.#fd, this.#maxPacketBytes);
    } catch {
      // No fd to spare: then packet by packet.
      return;
    }
    if (!this.#widened) widenSender(this.#fd, SENDER_BUFFER_BYTES);
    this.#widened = true;
    this.#calmLooks = 0;
    this.#socket?.pause();
    this.#look();
  }

  /** Take what has gathered, and come back for more. */
  #look(): void {
    this.#timer = undefined;
    const brought = this.#take();
    if (this.#closed || this.#paused || this.#reader === undefined) return;
    if (this.#calmLooks < CALM_AFTER_LOOKS) this.#calmLooks = brought > 1 ? 0 : this.#calmLooks + 1;
    if (this.#calmLooks >= CALM_AFTER_LOOKS) this.#becomeCalm();
    else this.#timer = setTimeout(() => this.#look(), GATHER_MS);
  }

  /** @returns How many packets came. */
  #take(): number {
    let packets = 0;
    for (let more = true; more && !this.#paused; ) {
      const batch = this.#reader?.read((kind, data) => this.#handler.packet(kind, data));
      packets += batch?.packets ?? 0;
      more = batch?.full === true;
      if (batch?.broken === true) this.end();
      // Bun sees to the end.
      if (batch?.ended === true) this.#calmLooks = CALM_AFTER_LOOKS;
    }
    return packets;
  }

  #becomeCalm(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#socket?.resume();
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
    if (this.#closed || this.#paused) return;
    this.#paused = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#reader === undefined) this.#socket?.pause();
  }

  resume(): void {
    if (this.#closed || !this.#paused) return;
    this.#paused = false;
    if (this.#reader === undefined) this.#socket?.resume();
    else this.#timer ??= setTimeout(() => this.#look(), 0);
  }

  end(): void {
    if (this.#closed) return;
    // What has not been taken has no reader any more.
    this.#reader?.close();
    this.#socket?.terminate();
    this.closed();
  }

  drained(): void {
    this.#wake?.();
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    // Bun has let go of the socket; what the sender left in it is there yet.
    this.#paused = false;
    this.#take();
    this.#reader?.close();
    this.#reader = undefined;
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
