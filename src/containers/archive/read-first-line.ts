import type { ByteReader } from '../../archive/inflate.ts';
import { EngineError } from '../../errors/engine-error.ts';

/** Longer than what any child says first. */
const MAX_LINE_BYTES = 64 << 20;

/** Take the first line off a stream of bytes. @throws EngineError "internal" where there is none; the stream's own error. */
export async function readFirstLine(
  stream: ReadableStream<Uint8Array>,
): Promise<{ line: string; rest: ReadableStream<Uint8Array> }> {
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    const end = value?.indexOf(0x0a) ?? -1;
    if (done || (end === -1 && size > MAX_LINE_BYTES)) {
      await reader.cancel().catch(() => undefined);
      throw new EngineError('internal', 'Cannot read root: the child has said nothing');
    }
    pieces.push(end === -1 ? value : value.subarray(0, end));
    size += value.length;
    if (end === -1) continue;
    return { line: Buffer.concat(pieces).toString('utf8'), rest: restOf(reader, value.subarray(end + 1)) };
  }
}

function restOf(reader: ByteReader, first: Uint8Array): ReadableStream<Uint8Array> {
  let head: Uint8Array | undefined = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (head !== undefined && head.length > 0) {
          controller.enqueue(head);
          head = undefined;
          return;
        }
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
