import { deserializeError, EngineError } from '../../errors/engine-error.ts';
import type { GrpcStream } from '../grpc/grpc-client.ts';
import { encodePacket } from './packet.ts';
import { PacketBatch, packetsOf, type ReceiveReply, type ReceiveRequest } from './receive-protocol.ts';
import type { LentThread, ReceiveThreads } from './receive-threads.ts';

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
 * this one moves bytes. `version` names what is there now: the same name, the same files.
 *
 * @throws EngineError "invalid" for what is no tree of files; as the peer ended the call; the signal's reason.
 */
export async function receiveFiles(
  stream: GrpcStream,
  place: ReceivePlace,
  options: {
    signal: AbortSignal;
    received?: ((bytes: number) => void) | undefined;
    threads: ReceiveThreads;
  },
): Promise<{ version: string }> {
  options.signal.throwIfAborted();
  const thread = new ReceiveThread(stream, options.threads);
  thread.post({ kind: 'begin', ...place });
  const abort = (): void => thread.fail(options.signal.reason);
  options.signal.addEventListener('abort', abort, { once: true });
  try {
    feed(stream, thread, options.received).catch((error: unknown) => thread.fail(error));
    const version = await thread.done;
    stream.finish();
    return { version };
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
  readonly #thread: LentThread;
  readonly #stream: GrpcStream;
  readonly #done = Promise.withResolvers<string>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #batch = new PacketBatch();
  #waiting: (() => void)[] = [];
  #ahead = 0;
  #sent: Promise<void> = Promise.resolve();
  #isFlushing = false;

  constructor(stream: GrpcStream, threads: ReceiveThreads) {
    this.#stream = stream;
    this.#done.promise.catch(() => undefined);
    this.#thread = threads.lend({
      reply: (reply) => this.#handle(reply),
      failed: (message) =>
        this.fail(new EngineError('internal', `Cannot run the thread that receives files: ${message}`)),
    });
  }

  /** Resolves to the version of what is there. */
  get done(): Promise<string> {
    return this.#done.promise;
  }

  get isBehind(): boolean {
    return this.#ahead >= BATCHES_AHEAD;
  }

  post(request: ReceiveRequest): void {
    this.#thread.post(request);
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
    this.#thread.post({ kind: 'packets', bytes }, [bytes.buffer]);
  }

  /** Resolves when the thread has caught up enough. */
  async room(): Promise<void> {
    while (this.isBehind) await this.#next();
  }

  fail(error: unknown): void {
    this.#done.reject(error);
    this.#wake();
  }

  /** What it has open is closed before the thread is another's, or ends: Bun keeps a terminated thread's files open. */
  async end(): Promise<void> {
    this.post({ kind: 'abort' });
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), END_GRACE_MS);
    const hasEnded = await Promise.race([this.#ended.promise.then(() => true), late]);
    clearTimeout(timer);
    if (hasEnded) this.#thread.giveBack();
    else this.#thread.terminate();
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
    else if (reply.kind === 'done') this.#done.resolve(reply.version);
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
