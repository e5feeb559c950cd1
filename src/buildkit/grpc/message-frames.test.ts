import { expect, test } from 'bun:test';
import type { Http2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { failureOf } from '../../../test/support/failure-of.ts';
import { frameOf, readMessages } from './message-frames.ts';

/** What is read of bytes that come in pieces of these sizes, over and over. */
async function readIn(sizes: readonly number[], bytes: Uint8Array): Promise<string[]> {
  const pieces = function* (): Generator<Uint8Array> {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length] ?? 1;
      yield bytes.subarray(at, at + size);
      at += size;
    }
  };
  // One piece for each read, as from a peer that is slower than we are.
  const stream = Readable.from(pieces(), { objectMode: true }) as unknown as Http2Stream;
  const found: string[] = [];
  for await (const message of readMessages(stream, { maxBytes: 1 << 20 }))
    found.push(Bun.hash(message).toString());
  return found;
}

test.each([[[1]], [[1000]], [[1, 5, 70_000]], [[1 << 20]]])('messages in pieces of %j', async (sizes) => {
  const messages = [3, 70_000, 0, 1, 100_000].map((length) =>
    Uint8Array.from({ length }, (_, at) => (at * 7) & 0xff),
  );
  const bytes = Buffer.concat(messages.map(frameOf));
  expect(await readIn(sizes, bytes)).toEqual(messages.map((message) => Bun.hash(message).toString()));
});

test('a message that is cut short, or too long, is refused', async () => {
  const cut = frameOf(new Uint8Array(10)).subarray(0, 8);
  expect(await failureOf(readIn([1], cut))).toMatchObject({ message: 'a message was cut short' });
  const long = frameOf(new Uint8Array((1 << 20) + 1));
  expect(await failureOf(readIn([1 << 16], long))).toMatchObject({
    message: 'received message larger than max (1048577 vs. 1048576)',
  });
});
