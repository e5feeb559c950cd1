import type { Digest } from '../../../src/oci/digest.ts';
import { FakeRegistry } from './fake-registry.ts';
import { HttpRegistry } from './http-registry.ts';

const PIECE_BYTES = 32 << 10;

/** Bytes of blobs asked for and sent since the last `measure`. */
export interface Traffic {
  /** Where each blob was asked from, as often as it was. */
  requests: { digest: Digest; start: number }[];
  sent: Map<Digest, number>;
}

/** A mirror of docker.io that counts what it sends, in small pieces in turn, and holds still once it has sent so much. */
export class CountingRegistry {
  readonly images = new FakeRegistry();
  readonly #http: HttpRegistry;
  #traffic: Traffic = { requests: [], sent: new Map() };
  #left = Number.POSITIVE_INFINITY;
  #onLimit: () => void = () => undefined;

  constructor() {
    this.images.blobHook = ({ digest, start, signal }, bytes) => this.#body({ digest, start, signal }, bytes);
    this.#http = new HttpRegistry(this.images);
  }

  get url(): string {
    return this.#http.url;
  }

  /** Count anew. Once `limit` bytes of blobs are sent, `onLimit` is called and not a byte more is sent before the next call. */
  measure(limit = Number.POSITIVE_INFINITY, onLimit: () => void = () => undefined): Traffic {
    this.#traffic = { requests: [], sent: new Map() };
    this.#left = limit;
    this.#onLimit = onLimit;
    return this.#traffic;
  }

  async stop(): Promise<void> {
    await this.#http.stop();
  }

  #body(
    { digest, start, signal }: { digest: Digest; start: number; signal: AbortSignal },
    bytes: Uint8Array,
  ): ReadableStream<Uint8Array> {
    const traffic = this.#traffic;
    traffic.requests.push({ digest, start });
    let at = start;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          // To the back of the queue, so that layers advance side by side.
          await Bun.sleep(0);
          const piece = bytes.slice(
            at,
            at + Math.min(PIECE_BYTES, traffic === this.#traffic ? this.#left : 0),
          );
          if (piece.length === 0) return await aborted(signal);
          at += piece.length;
          this.#left -= piece.length;
          traffic.sent.set(digest, (traffic.sent.get(digest) ?? 0) + piece.length);
          controller.enqueue(piece);
          if (at === bytes.length) controller.close();
          if (this.#left === 0) this.#onLimit();
        },
      },
      { highWaterMark: 0 },
    );
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
