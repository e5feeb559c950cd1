import { encodeFrame } from '../wire/stream-frame.ts';
import type { Attachment } from './attachment.ts';
import type { ResponseStream } from './response-stream.ts';

/** An attached client that stays in HTTP: an attach without `Upgrade` on a connection that has served other requests. */
export class StreamedClient implements Attachment {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  readonly #stream: ResponseStream;
  readonly #multiplexed: boolean;

  constructor(
    stream: ResponseStream,
    options: { body: AsyncIterable<Uint8Array>; signal: AbortSignal; multiplexed: boolean },
  ) {
    this.#stream = stream;
    this.stdin = options.body;
    this.signal = options.signal;
    this.#multiplexed = options.multiplexed;
  }

  write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> {
    if (data.length === 0) return Promise.resolve();
    return this.#stream.write(this.#multiplexed ? encodeFrame(stream, data) : data);
  }

  finish(): void {
    void this.#stream.end();
  }
}
