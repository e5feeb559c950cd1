import { expect, test } from 'bun:test';
import { DEFAULT_DETACH_KEYS, untilDetached } from './detach-keys.ts';

async function typed(...chunks: string[]): Promise<{ passed: string; detached: boolean }> {
  let detached = false;
  let passed = '';
  async function* input() {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
  }
  for await (const chunk of untilDetached(input(), DEFAULT_DETACH_KEYS, () => (detached = true))) {
    passed += Buffer.from(chunk).toString('latin1');
  }
  return { passed, detached };
}

test('the sequence detaches, also when it comes in pieces, and is not passed on', async () => {
  expect(await typed('ab\x10\x11cd')).toEqual({ passed: 'ab', detached: true });
  expect(await typed('ab\x10', '\x11')).toEqual({ passed: 'ab', detached: true });
});

test('a sequence that breaks off is passed on whole', async () => {
  expect(await typed('a\x10b')).toEqual({ passed: 'a\x10b', detached: false });
  expect(await typed('\x10\x10\x11')).toEqual({ passed: '\x10', detached: true });
});
