import { expect, test } from 'bun:test';
import { failureOf } from '../../../test/support/failure-of.ts';
import { pacedBody } from './upload-body.ts';

const PACE = { windowMs: 40, minBytes: 10 };

function dripping(chunks: number[], everyMs: number): ReadableStream<Uint8Array> {
  const rest = [...chunks];
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await Bun.sleep(everyMs);
        const size = rest.shift();
        if (size === undefined) controller.close();
        else controller.enqueue(new Uint8Array(size));
      },
    },
    { highWaterMark: 0 },
  );
}

async function total(stream: ReadableStream<Uint8Array> | null): Promise<number> {
  let bytes = 0;
  for await (const chunk of pacedBody(stream, PACE)) bytes += chunk.length;
  return bytes;
}

test('a body that comes is passed on whole', async () => {
  expect(await total(dripping([100, 200, 300], 1))).toBe(600);
  expect(await total(null)).toBe(0);
});

test.each([
  ['one byte at a time', Array.from({ length: 100 }, () => 1), 15],
  ['nothing at all', [1], 10_000],
] as const)('a client that sends %s is cut off', async (_, chunks, everyMs) => {
  expect(await failureOf(total(dripping([...chunks], everyMs)))).toMatchObject({ status: 408 });
});

test('time that the reader takes is not the client’s', async () => {
  let bytes = 0;
  for await (const chunk of pacedBody(dripping([5, 5, 5, 5], 1), PACE)) {
    bytes += chunk.length;
    await Bun.sleep(30);
  }
  expect(bytes).toBe(20);
});
