import type { ByteReader } from '../../archive/inflate.ts';
import { deserializeError, EngineError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import { type Place, TransferPlaces } from '../jobs/transfer-places.ts';
import type { ArchiveReply, ArchiveRequest } from './archive-worker-protocol.ts';
import type { ReceivedArchive } from './received-archive.ts';

/** Reads archives of images: `receiveArchive` in whatever thread. */
export type ArchiveReceiver = (
  source: ReadableStream<Uint8Array>,
  options: { hold: (blob: Digest) => Promise<void>; signal: AbortSignal },
) => Promise<ReceivedArchive>;

export interface ReceiverOptions {
  places?: TransferPlaces;
  makeWorker?: () => Worker;
}

/** A thread that runs `archive-worker`. */
export function archiveWorker(): Worker {
  return new Worker(new URL('./archive-worker.ts', import.meta.url), { smol: true });
}

const BATCH_BYTES = 1 << 20;
/** Batches that the thread may have before it: enough that neither side waits, and all that a load holds in memory. */
const BATCHES_AHEAD = 8;
const ABORT_GRACE_MS = 1000;

/**
 * An `ArchiveReceiver` with a thread for each archive: this one only moves bytes. A thread is started once bytes have come and one of the `places` is free; until
 * then nothing more is read of the client.
 *
 * @throws EngineError "unavailable" code client-silent, as `TransferPlaces`.
 */
export function threadedReceiver(
  contentRoot: string,
  { places = new TransferPlaces(), makeWorker = archiveWorker }: ReceiverOptions = {},
): ArchiveReceiver {
  return async (source, { hold, signal }) => {
    const reader: ByteReader = source.getReader();
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    let place: Place | undefined;
    try {
      signal.throwIfAborted();
      const first = await Promise.race([reader.read(), aborted.promise]);
      place = await places.take(signal);
      const thread = new ArchiveThread(makeWorker(), hold);
      return await receiveInThread(thread, bytesAfter(first, reader, place), { contentRoot, signal });
    } catch (error) {
      void reader.cancel(error).catch(() => undefined);
      signal.throwIfAborted();
      throw error;
    } finally {
      place?.leave();
      signal.removeEventListener('abort', abort);
    }
  };
}

async function* bytesAfter(
  first: Awaited<ReturnType<ByteReader['read']>>,
  reader: ByteReader,
  place: Place,
): AsyncGenerator<Uint8Array> {
  for (let next = first; !next.done && next.value !== undefined; next = await place.waitFor(reader.read()))
    yield next.value;
}

async function receiveInThread(
  thread: ArchiveThread,
  bytes: AsyncIterable<Uint8Array>,
  { contentRoot, signal }: { contentRoot: string; signal: AbortSignal },
): Promise<ReceivedArchive> {
  thread.send({ kind: 'begin', contentRoot });
  const abort = (): void => thread.fail(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    feed(bytes, thread).catch((error: unknown) => thread.fail(error));
    return await thread.result;
  } finally {
    signal.removeEventListener('abort', abort);
    await thread.end();
  }
}

async function feed(source: AsyncIterable<Uint8Array>, thread: ArchiveThread): Promise<void> {
  let batch = new Uint8Array(BATCH_BYTES);
  let fill = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + BATCH_BYTES - fill);
      batch.set(part, fill);
      fill += part.length;
      at += part.length;
      if (fill < BATCH_BYTES) continue;
      await thread.give(batch);
      batch = new Uint8Array(BATCH_BYTES);
      fill = 0;
    }
  }
  if (fill > 0) await thread.give(batch.subarray(0, fill));
  thread.send({ kind: 'end' });
}

class ArchiveThread {
  readonly #worker: Worker;
  readonly #result = Promise.withResolvers<ReceivedArchive>();
  readonly #stopped = Promise.withResolvers<void>();
  #ahead = 0;
  #failure: { error: unknown } | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(worker: Worker, hold: (blob: Digest) => Promise<void>) {
    this.#worker = worker;
    this.#result.promise.catch(() => undefined);
    this.#worker.onmessage = ({ data }: MessageEvent<ArchiveReply>) => this.#handle(data, hold);
    this.#worker.onerror = (event) => {
      this.#stopped.resolve();
      this.fail(new EngineError('internal', `Cannot run archive worker: ${event.message}`));
    };
  }

  get result(): Promise<ReceivedArchive> {
    return this.#result.promise;
  }

  send(request: ArchiveRequest): void {
    this.#worker.postMessage(request);
  }

  /** Hand over a batch; it is the thread's then. Resolves when there is room for another. */
  async give(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#ahead++;
    this.#worker.postMessage({ kind: 'chunk', bytes } satisfies ArchiveRequest, [bytes.buffer]);
    if (this.#ahead < BATCHES_AHEAD) return;
    this.#room = Promise.withResolvers<void>();
    await this.#room.promise;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#result.reject(error);
    this.#room?.resolve();
  }

  /** What it has open is closed before the thread ends: a lock would outlive it. */
  async end(): Promise<void> {
    this.send({ kind: 'abort' });
    await Promise.race([this.#stopped.promise, Bun.sleep(ABORT_GRACE_MS)]);
    this.#worker.terminate();
  }

  #handle(reply: ArchiveReply, hold: (blob: Digest) => Promise<void>): void {
    if (reply.kind === 'taken') {
      this.#ahead--;
      this.#room?.resolve();
    } else if (reply.kind === 'hold') void this.#hold(reply.blob, hold);
    else {
      this.#stopped.resolve();
      if (reply.kind === 'done') this.#result.resolve(reply.archive);
      else this.fail(deserializeError(reply.error));
    }
  }

  async #hold(blob: Digest, hold: (blob: Digest) => Promise<void>): Promise<void> {
    try {
      await hold(blob);
      this.send({ kind: 'held', blob });
    } catch (error) {
      this.fail(error);
      this.send({ kind: 'abort' });
    }
  }
}
