/** A part of a build's body: its name, and bytes. */
export interface Part {
  name: string;
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Small pieces go together: each one sent costs a system call here and a turn there. */
const PIECE_BYTES = 256 << 10;
/** The daemon takes no larger ones than 16 MiB. */
const MAX_PIECE_BYTES = 1 << 20;

/** The body that `BUILD_BODY_TYPE` means. */
export async function* bodyOf(parts: readonly Part[]): AsyncGenerator<Uint8Array> {
  for (const { name, data } of parts) {
    const bytes = Buffer.from(name);
    const head = Buffer.alloc(2);
    head.writeUInt16BE(bytes.length);
    yield Buffer.concat([head, bytes]);
    let waiting: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of data)
      for (let at = 0; at < chunk.length; at += MAX_PIECE_BYTES) {
        const piece = chunk.subarray(at, at + MAX_PIECE_BYTES);
        waiting.push(piece);
        size += piece.length;
        if (size < PIECE_BYTES) continue;
        yield framed(waiting, size);
        waiting = [];
        size = 0;
      }
    if (size > 0) yield framed(waiting, size);
    yield Buffer.alloc(4);
  }
}

function framed(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(size);
  return Buffer.concat([length, ...pieces], size + 4);
}
