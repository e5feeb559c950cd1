import type { SerializedError } from '../../errors/engine-error.ts';

/** To the thread that receives files into one directory. */
export type ReceiveRequest =
  | { kind: 'begin'; directory: string; listing: string }
  /** Packets, each behind its length in four bytes. */
  | { kind: 'packets'; bytes: Uint8Array }
  /** Nothing comes any more. */
  | { kind: 'end' }
  | { kind: 'abort' };

export type ReceiveReply =
  /** A batch was worked through; with what is to be sent, framed alike. */
  | { kind: 'taken'; send: Uint8Array }
  | { kind: 'done' }
  /** After an abort: nothing is open any more, nothing will be written. */
  | { kind: 'ended' }
  | { kind: 'failed'; error: SerializedError };

const LENGTH_BYTES = 4;

/** Packets on their way between threads. */
export class PacketBatch {
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Keeps no hold of `packet`. */
  add(packet: Uint8Array): void {
    const part = new Uint8Array(LENGTH_BYTES + packet.length);
    new DataView(part.buffer).setUint32(0, packet.length);
    part.set(packet, LENGTH_BYTES);
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  /** All of them, as one; it's empty then. */
  take(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts.splice(0)) {
      all.set(part, at);
      at += part.length;
    }
    this.#bytes = 0;
    return all;
  }
}

/** The packets of a batch: views of it. */
export function* packetsOf(batch: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  for (let at = 0; at < batch.length; ) {
    const length = view.getUint32(at);
    at += LENGTH_BYTES;
    yield batch.subarray(at, at + length);
    at += length;
  }
}
