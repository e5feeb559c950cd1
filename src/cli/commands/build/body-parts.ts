/** A part of a build's body: its name, and bytes. */
export interface Part {
  name: string;
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The body that `BUILD_BODY_TYPE` means. `sent` hears of the bytes of each part. */
export async function* bodyOf(
  parts: readonly Part[],
  sent: (name: string, bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for (const { name, data } of parts) {
    const bytes = Buffer.from(name);
    const head = Buffer.alloc(2);
    head.writeUInt16BE(bytes.length);
    yield Buffer.concat([head, bytes]);
    for await (const piece of data) {
      if (piece.length === 0) continue;
      const length = Buffer.alloc(4);
      length.writeUInt32BE(piece.length);
      yield length;
      yield piece;
      sent(name, piece.length);
    }
    yield Buffer.alloc(4);
  }
}
