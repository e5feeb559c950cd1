import { EngineError } from '../../errors/engine-error.ts';
import { connectSeqpacket, type SeqpacketConnection } from '../../sys/seqpacket.ts';
import type { TaskOutput, TaskStreams } from '../runtime.ts';
import type { StdinGuard } from './stdin-guard.ts';

/** conmon reads at most this much of a packet and drops the rest. */
const MAX_PACKET_BYTES = 32 * 1024;
/** conmon's `STDIO_BUF_SIZE` (src/conn_sock.c, src/ctr_stdio.c) and the byte that names the stream. */
const MAX_OUTPUT_PACKET_BYTES = 8192 + 1;
const PAUSE_ABOVE_BYTES = 1 << 20;
const RESUME_BELOW_BYTES = 1 << 19;
const STDERR = 3;

export interface StreamOptions {
  /** The task's attach socket. */
  path: string;
  stdin: boolean;
  /** conmon keeps stdin open whatever a client does: then `closeStdin` leaves the connection whole. */
  leaveStdinOpen: boolean;
  /** From `holdStdin`; the streams close it. A process that isn't there yet is guarded later. */
  guard?: StdinGuard | undefined;
}

/** Join the streams of a task through conmon's attach socket. @throws EngineError "conflict" when the task has ended. */
export async function openStreams(options: StreamOptions): Promise<ConmonStreams> {
  const streams = new ConmonStreams(options);
  try {
    streams.use(
      await connectSeqpacket(options.path, { handler: streams, maxPacketBytes: MAX_OUTPUT_PACKET_BYTES }),
    );
  } catch (error) {
    streams.closed();
    throw new EngineError('conflict', 'Cannot attach: the container has ended', { cause: error });
  }
  return streams;
}

export class ConmonStreams implements TaskStreams {
  readonly #options: StreamOptions;
  readonly #queue: TaskOutput[] = [];
  #queuedBytes = 0;
  #connection: SeqpacketConnection | undefined;
  #paused = false;
  #unbounded = false;
  #ended = false;
  #stdinClosed = false;
  #guard: StdinGuard | undefined;
  #wake: (() => void) | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#guard = options.guard;
  }

  /** The process is there now. */
  guard(guard: StdinGuard | undefined): void {
    if (this.#ended) guard?.close();
    else this.#guard = guard;
  }

  use(connection: SeqpacketConnection): void {
    this.#connection = connection;
  }

  packet(kind: number, data: Uint8Array): void {
    this.#queue.push({ stream: kind === STDERR ? 'stderr' : 'stdout', data });
    this.#queuedBytes += data.length;
    if (this.#queuedBytes > PAUSE_ABOVE_BYTES && !this.#unbounded && !this.#paused) {
      this.#paused = true;
      this.#connection?.pause();
    }
    this.#wake?.();
  }

  closed(): void {
    this.#ended = true;
    this.#guard?.close();
    this.#wake?.();
  }

  /** The process has ended: what is left fits in the pipes' buffers, and a slow reader must not hold back the exit code. */
  release(): void {
    this.#unbounded = true;
    this.#resume();
  }

  async *output(): AsyncGenerator<TaskOutput, void> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) {
        this.#queuedBytes -= next.data.length;
        if (this.#queuedBytes < RESUME_BELOW_BYTES) this.#resume();
        yield next;
        continue;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async write(data: Uint8Array): Promise<void> {
    if (!this.#options.stdin || this.#ended || this.#stdinClosed) {
      throw new EngineError('conflict', 'Cannot write: the container has no open stdin');
    }
    for (let offset = 0; offset < data.length; offset += MAX_PACKET_BYTES) {
      await this.#connection?.write(data.subarray(offset, offset + MAX_PACKET_BYTES));
    }
  }

  async closeStdin(): Promise<void> {
    if (!this.#options.stdin || this.#options.leaveStdinOpen || this.#ended || this.#stdinClosed) return;
    this.#stdinClosed = true;
    await this.#connection?.shutdown();
  }

  close(): void {
    this.#ended = true;
    this.#connection?.end();
    this.#wake?.();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection?.resume();
  }
}
