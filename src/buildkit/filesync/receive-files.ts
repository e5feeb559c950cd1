import { deserializeError, EngineError } from '../../errors/engine-error.ts';
import type { GrpcStream } from '../grpc/grpc-client.ts';
import { encodePacket } from './packet.ts';
import { PacketBatch, packetsOf, type ReceiveReply, type ReceiveRequest } from './receive-protocol.ts';

export interface ReceivePlace {
  /** Comes to hold the files; nobody else's meanwhile. */
  directory: string;
  /** File that tells what the directory holds. */
  listing: string;
}

const BATCH_BYTES = 256 << 10;
/** Batches that the thread may have before it: all of a transfer that is held in memory. */
const BATCHES_AHEAD = 8;
const END_GRACE_MS = 5000;
/** How often it is told how much has come. */
const TELL_MS = 100;

/**
 * Bring the files that a peer sends on `stream` into a directory, where those that are there in the same state stay. The work is a thread's own;
 * this one moves bytes.
 *
 * @throws EngineError "invalid" for what is no tree of files; as the peer ended the call; the signal's reason.
 */
export async function receiveFiles(
  stream: GrpcStream,
  place: ReceivePlace,
  options: { signal: AbortSignal; received?: ((bytes: number) => void) | undefined },
): Promise<void> {
  options.signal.throwIfAborted();
  const thread = new ReceiveThread(stream);
  thread.post({ kind: 'begin', ...place });
  const abort = (): void => thread.fail(options.signal.reason);
  options.signal.addEventListener('abort', abort, { once: true });
  try {
    feed(stream, thread, options.received).catch((error: unknown) => thread.fail(error));
    await thread.done;
    stream.finish();
  } catch (error) {
    options.signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    await stream.send(encodePacket({ type: 'error', message })).catch(() => undefined);
    throw error;
  } finally {
    options.signal.removeEventListener('abort', abort);
    stream.close();
    await thread.end();
  }
}

async function feed(
  stream: GrpcStream,
  thread: ReceiveThread,
  received: ((bytes: number) => void) | undefined,
): Promise<void> {
  let [bytes, toldMs] = [0, performance.now()];
  for await (const message of stream.messages()) {
    thread.add(message);
    bytes += message.length;
    if (performance.now() - toldMs > TELL_MS) {
      toldMs = performance.now();
      received?.(bytes);
    }
    if (thread.isBehind) await thread.room();
  }
  received?.(bytes);
  thread.flush();
  thread.post({ kind: 'end' });
}

class ReceiveThread {
  readonly #worker = new Worker(new URL('./receive-worker.ts', import.meta.url));
  readonly #stream: GrpcStream;
  readonly #done = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #batch = new PacketBatch();
  #waiting: (() => void)[] = [];
  #ahead = 0;
  #sent: Promise<void> = Promise.resolve();
  #isFlushing = false;

  constructor(stream: GrpcStream) {
    this.#stream = stream;
    this.#done.promise.catch(() => undefined);
    this.#worker.onmessage = ({ data }: MessageEvent<ReceiveReply>) => this.#handle(data);
    this.#worker.onerror = (event) =>
      this.fail(new EngineError('internal', `Cannot run the thread that receives files: ${event.message}`));
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  get isBehind(): boolean {
    return this.#ahead >= BATCHES_AHEAD;
  }

  post(request: ReceiveRequest): void {
    this.#worker.postMessage(request);
  }

  /** What comes in one turn of the event loop goes on together. */
  add(packet: Uint8Array): void {
    this.#batch.add(packet);
    if (this.#batch.sizeBytes >= BATCH_BYTES) this.flush();
    else if (!this.#isFlushing) {
      this.#isFlushing = true;
      setImmediate(() => {
        this.#isFlushing = false;
        this.flush();
      });
    }
  }

  flush(): void {
    if (this.#batch.sizeBytes === 0) return;
    const bytes = this.#batch.take();
    this.#ahead++;
    this.#worker.postMessage({ kind: 'packets', bytes } satisfies ReceiveRequest, [bytes.buffer]);
  }

  /** Resolves when the thread has caught up enough. */
  async room(): Promise<void> {
    while (this.isBehind) await this.#next();
  }

  fail(error: unknown): void {
    this.#done.reject(error);
    this.#wake();
  }

  /** What it has open is closed before the thread ends: Bun keeps a terminated thread's files open. */
  async end(): Promise<void> {
    this.post({ kind: 'abort' });
    await Promise.race([this.#ended.promise, Bun.sleep(END_GRACE_MS)]);
    this.#worker.terminate();
  }

  async #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await Promise.race([promise, this.#done.promise]);
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #handle(reply: ReceiveReply): void {
    if (reply.kind === 'failed') this.fail(deserializeError(reply.error));
    else if (reply.kind === 'done') this.#done.resolve();
    else if (reply.kind === 'ended') this.#ended.resolve();
    else {
      this.#ahead--;
      this.#sent = this.#sent.then(() => this.#send(reply.send));
      this.#wake();
    }
  }

  async #send(batch: Uint8Array): Promise<void> {
    try {
      for (const packet of packetsOf(batch)) await this.#stream.send(packet);
    } catch (error) {
      this.fail(error);
    }
  }
}
