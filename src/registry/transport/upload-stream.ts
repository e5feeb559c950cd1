import { EngineError } from '../../errors/engine-error.ts';

/** At most `size` bytes of a stream; the rest is not read. */
export function limited(stream: ReadableStream<Uint8Array>, size: number): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let left = size;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = left === 0 ? { done: true, value: undefined } : await reader.read();
      if (done || value === undefined) {
        controller.close();
        await reader.cancel();
        return;
      }
      const part = value.length > left ? value.subarray(0, left) : value;
      left -= part.length;
      controller.enqueue(part);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** Fails where the stream hasn't `size` bytes: a promised length must be kept. */
export function counted(
  stream: ReadableStream<Uint8Array>,
  size: number,
  onProgress?: (sentBytes: number) => void,
): ReadableStream<Uint8Array> {
  let sent = 0;
  const reader = stream.getReader();
  const wrong = () =>
    new EngineError('invalid', `Cannot upload: the blob hasn't the ${size} bytes it should have`);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done || value === undefined) {
          if (sent !== size) throw wrong();
          controller.close();
          return;
        }
        sent += value.length;
        if (sent > size) throw wrong();
        controller.enqueue(value);
        onProgress?.(sent);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Without its first `count` bytes. */
export function skipped(stream: ReadableStream<Uint8Array>, count: number): ReadableStream<Uint8Array> {
  if (count === 0) return stream;
  let left = count;
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const part = chunk.subarray(Math.min(left, chunk.length));
        left -= chunk.length - part.length;
        if (part.length > 0) controller.enqueue(part);
      },
    }),
  );
}
