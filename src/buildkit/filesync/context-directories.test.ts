import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { GrpcStream } from '../grpc/grpc-client.ts';
import { ContextDirectories } from './context-directories.ts';
import { decodePacket, encodePacket } from './packet.ts';
import { FileSender } from './testing/file-sender.ts';

let base: string;
let from: string;
let contexts: ContextDirectories;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-contexts-'));
  from = join(base, 'from');
  mkdirSync(from);
  contexts = new ContextDirectories(join(base, 'contexts'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const { signal } = new AbortController();

/** A client that sends `from`; `cutAfter`: so many packets, then it is gone. */
class SendingClient implements GrpcStream {
  asked = 0;
  told = '';
  readonly #sender = new FileSender(from);
  readonly #queue: Uint8Array[];
  readonly #cutAfter: number;
  #wake = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(cutAfter = Number.POSITIVE_INFINITY) {
    this.#queue = this.#sender.listing().map(encodePacket);
    this.#cutAfter = cutAfter;
  }

  async *messages(): AsyncGenerator<Uint8Array> {
    for (let count = 0; !this.#isClosed; ) {
      const next = this.#queue.shift();
      if (next === undefined) {
        await this.#wake.promise;
        this.#wake = Promise.withResolvers();
      } else if (++count > this.#cutAfter) throw new EngineError('unavailable', 'the client is gone');
      else yield next;
    }
  }

  async send(message: Uint8Array): Promise<void> {
    const packet = decodePacket(message);
    if (packet.type === 'request') this.asked++;
    if (packet.type === 'error') this.told = packet.message;
    this.#queue.push(...this.#sender.answer(message));
    this.#wake.resolve();
  }

  finish(): void {}

  close(): void {
    this.#isClosed = true;
    this.#wake.resolve();
  }
}

function fill(count: number): void {
  for (let at = 0; at < count; at++) writeFileSync(join(from, `file${at}`), `content of ${at}`.repeat(at));
}

test('a second transfer of the same context brings what has changed', async () => {
  fill(300);
  const client = new SendingClient();
  const first = await contexts.receive('key', client, { signal });
  expect([client.asked, readdirSync(first.directory).length]).toEqual([300, 300]);
  await first.release();
  writeFileSync(join(from, 'file7'), 'new');
  const again = new SendingClient();
  const second = await contexts.receive('key', again, { signal });
  expect([again.asked, second.directory]).toEqual([1, first.directory]);
  expect(readFileSync(join(second.directory, 'file7'), 'utf8')).toBe('new');
  await second.release();
  const [kept] = await contexts.list();
  expect(kept).toMatchObject({ directory: first.directory, inUse: false });
});

test('two builds at once have a directory each', async () => {
  fill(3);
  const first = await contexts.receive('key', new SendingClient(), { signal });
  const second = await contexts.receive('key', new SendingClient(), { signal });
  expect(second.directory).not.toBe(first.directory);
  await second.release();
  expect(await contexts.list()).toMatchObject([{ inUse: true }]);
  await first.release();
});

test('a client that vanishes in the middle leaves nothing that is believed later', async () => {
  fill(200);
  expect(await failureOf(contexts.receive('key', new SendingClient(250), { signal }))).toMatchObject({
    kind: 'unavailable',
  });
  const again = new SendingClient();
  const received = await contexts.receive('key', again, { signal });
  expect([again.asked, readdirSync(received.directory).length]).toEqual([200, 200]);
  await received.release();
});

test('an abort ends it with its reason', async () => {
  fill(100);
  const abort = new AbortController();
  const client = new SendingClient();
  const send = client.send.bind(client);
  client.send = async (message) => {
    if (client.asked === 50) abort.abort(new EngineError('conflict', 'enough'));
    await send(message);
  };
  const receiving = failureOf(contexts.receive('key', client, { signal: abort.signal }));
  expect(await receiving).toMatchObject({ message: 'enough' });
});

test('what is refused is told to the sender, and the directory serves the next', async () => {
  fill(2);
  const hostile = new SendingClient();
  const messages = hostile.messages.bind(hostile);
  hostile.messages = async function* () {
    for await (const message of messages()) {
      const packet = decodePacket(message);
      yield packet.type === 'stat' && packet.stat !== undefined
        ? encodePacket({ type: 'stat', stat: { ...packet.stat, path: '../escaped' } })
        : message;
    }
  };
  const failure = await failureOf(contexts.receive('key', hostile, { signal }));
  expect(failure).toMatchObject({ kind: 'invalid', code: 'archive-hostile' });
  expect(hostile.told).toContain('../escaped');
  const received = await contexts.receive('key', new SendingClient(), { signal });
  await received.release();
});

test('recover() and remove() leave what is in use', async () => {
  fill(2);
  const first = await contexts.receive('key', new SendingClient(), { signal });
  await contexts.receive('key', new SendingClient(), { signal });
  await new ContextDirectories(join(base, 'contexts')).recover();
  const [kept, ...others] = await contexts.list();
  expect(others).toEqual([]);
  expect(await failureOf(contexts.remove(kept?.id ?? ''))).toMatchObject({ kind: 'conflict' });
  await first.release();
  await contexts.remove(kept?.id ?? '');
  expect(await contexts.list()).toEqual([]);
  expect(await failureOf(contexts.remove('../from'))).toMatchObject({ kind: 'invalid' });
});
