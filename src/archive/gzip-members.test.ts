import { expect, test } from 'bun:test';
import { gunzipSync } from 'node:zlib';
import { GzipMembers } from './gzip-members.ts';

async function gzipped(chunks: Iterable<Uint8Array>): Promise<Buffer> {
  const out: Buffer[] = [];
  const members = new GzipMembers(async (bytes) => void out.push(Buffer.from(bytes)));
  for (const chunk of chunks) await members.write(chunk);
  await members.finish();
  return Buffer.concat(out);
}

test('gives back what went in, the same bytes however they were cut', async () => {
  const data = Buffer.alloc((2 << 20) + 12345, 'some text that repeats ');
  const whole = await gzipped([data]);
  expect(gunzipSync(whole).equals(data)).toBe(true);
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length; at += 7777) pieces.push(data.subarray(at, at + 7777));
  expect((await gzipped(pieces)).equals(whole)).toBe(true);
});

test('nothing is one empty member', async () => {
  expect(gunzipSync(await gzipped([])).length).toBe(0);
});

test('fails as what it writes to fails', async () => {
  const members = new GzipMembers(async () => {
    throw new Error('full');
  });
  await members.write(new Uint8Array(10));
  expect(members.finish()).rejects.toThrow('full');
});
