import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { failureOf } from '../../../test/support/failure-of.ts';
import { file, makeTar } from '../../../test/support/images/tar-maker.ts';
import { TransferPlaces } from '../jobs/transfer-places.ts';
import { archiveWorker, threadedReceiver } from './archive-receiver.ts';

let root: string;
let threads = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sampan-receiver-'));
  threads = 0;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const archive = makeTar([file('oci-layout', '{}'), file('blob', 'x'.repeat(3000))]);
const hold = async (): Promise<void> => undefined;

/** A client that sends when the test says so. */
function client() {
  let to: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelled = false;
  const source = new ReadableStream<Uint8Array>(
    { start: (controller) => void (to = controller), cancel: () => void (cancelled = true) },
    { highWaterMark: 0 },
  );
  const gone = new AbortController();
  return {
    source,
    gone,
    send: (bytes: Uint8Array) => to?.enqueue(bytes),
    end: () => to?.close(),
    cancelled: () => cancelled,
  };
}

function receiver(places: number) {
  const makeWorker = (): Worker => {
    threads++;
    return archiveWorker();
  };
  const taken = new TransferPlaces({ places, silenceMs: 0 });
  const receive = threadedReceiver(root, { places: taken, makeWorker });
  return {
    taken,
    receive: ({ source, gone }: ReturnType<typeof client>) => receive(source, { hold, signal: gone.signal }),
  };
}

test('thirty clients that send nothing cost no thread, and keep nobody waiting', async () => {
  const { receive } = receiver(2);
  const idle = Array.from({ length: 30 }, client);
  const failures = idle.map((one) => failureOf(receive(one)));
  await turn();
  expect(threads).toBe(0);
  const honest = client();
  const received = receive(honest);
  honest.send(archive);
  honest.end();
  expect([...(await received).files.keys()]).toEqual(['oci-layout', 'blob']);
  expect(threads).toBe(1);
  for (const { gone } of idle) gone.abort(new Error('gone'));
  expect((await Promise.all(failures)).map((error) => (error as Error).message)).toEqual(
    idle.map(() => 'gone'),
  );
  expect(idle.every(({ cancelled }) => cancelled())).toBe(true);
});

test('more than there are places wait with what they sent first, and come in turn', async () => {
  const { receive, taken } = receiver(2);
  const clients = Array.from({ length: 6 }, client);
  const received = clients.map(receive);
  for (const { send } of clients) send(archive.subarray(0, 700));
  // Ended clients are silent to nobody: all have sent the whole before any is reviewed.
  for (const { send, end } of clients) {
    send(archive.subarray(700));
    end();
  }
  await turn();
  expect(threads).toBeLessThanOrEqual(2);
  const all = await Promise.all(received);
  expect(all.map(({ files }) => files.size)).toEqual(clients.map(() => 2));
  expect([threads, taken.waiting]).toEqual([6, 0]);
});

test('a client that stops in the middle gives its place to the next; the half-closed one is told what is missing', async () => {
  const { receive } = receiver(1);
  const stalled = client();
  const cut = failureOf(receive(stalled));
  stalled.send(archive.subarray(0, 700));
  const next = client();
  const half = failureOf(receive(next));
  next.send(archive.subarray(0, 2000));
  next.end();
  expect(await cut).toMatchObject({ kind: 'unavailable', code: 'client-silent' });
  expect(stalled.cancelled()).toBe(true);
  expect(await half).toMatchObject({ kind: 'invalid', code: 'archive-truncated' });
});

test('a client that vanishes while it waits leaves the queue', async () => {
  const { receive, taken } = receiver(1);
  const [first, second] = [client(), client()];
  const place = await taken.take(first.gone.signal);
  const failure = failureOf(receive(second));
  second.send(archive);
  await turn();
  await turn();
  expect(taken.waiting).toBe(1);
  second.gone.abort(new Error('vanished'));
  expect(await failure).toMatchObject({ message: 'vanished' });
  expect([taken.waiting, threads]).toEqual([0, 0]);
  place.leave();
});
