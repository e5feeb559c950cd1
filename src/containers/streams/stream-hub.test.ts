import { expect, test } from 'bun:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskOutput, TaskStreams } from '../../runtime/runtime.ts';
import type { AttachClient } from '../container-backend.ts';
import { StreamHub } from './stream-hub.ts';

/** One run of a task: the test says what it says and sees what it is told. */
class Run implements TaskStreams {
  readonly input: string[] = [];
  stdinClosed = false;
  #queue: TaskOutput[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  say(data: string | Uint8Array): void {
    this.#queue.push({ stream: 'stdout', data: typeof data === 'string' ? Buffer.from(data) : data });
    this.#wake();
  }

  exit(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Chunks that the hub has not taken: the task waits with them. */
  get held(): number {
    return this.#queue.length;
  }

  async *output(): AsyncGenerator<TaskOutput, void> {
    while (true) {
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  async write(data: Uint8Array): Promise<void> {
    this.input.push(Buffer.from(data).toString());
  }

  async closeStdin(): Promise<void> {
    this.stdinClosed = true;
  }

  close(): void {
    this.exit();
  }
}

class Client implements AttachClient {
  readonly gone = new AbortController();
  readonly signal = this.gone.signal;
  readonly typed = Promise.withResolvers<void>();
  text = '';
  /** While unresolved, the client reads nothing. */
  reads: Promise<void> = Promise.resolve();
  /** Ends once `typed` resolves, as a client's half-close. */
  stdin: AsyncIterable<Uint8Array> = this.#type();

  async write(_stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> {
    await this.reads;
    this.text += Buffer.from(data).toString();
  }

  async *#type(): AsyncGenerator<Uint8Array> {
    await this.typed.promise;
    yield* [];
  }
}

const never = new Promise<void>(() => undefined);
const all = { stdout: true, stderr: true, stdin: false, closeStdin: false };
const once = { ...all, stdin: true, closeStdin: true };
const MEGABYTE = new Uint8Array(1 << 20);

test('all clients see the same output, and leave when the run ends', async () => {
  const hub = new StreamHub();
  const run = new Run();
  const clients = [new Client(), new Client()];
  const joined = clients.map((client) => hub.join(client, all));
  hub.begin(run);
  run.say('one ');
  run.say('two');
  run.exit();
  await hub.drained();
  hub.end();
  await Promise.all(joined);
  expect(clients.map(({ text }) => text)).toEqual(['one two', 'one two']);
});

test('a client that reads nothing holds the task back, but not another client that leaves', async () => {
  const hub = new StreamHub();
  const run = new Run();
  const client = new Client();
  client.reads = never;
  const joined = hub.join(client, all);
  hub.begin(run);
  for (let count = 0; count < 5; count++) run.say(MEGABYTE);
  await sleep(20);
  expect(run.held).toBeGreaterThan(0);
  client.gone.abort();
  await joined;
  await sleep(5);
  expect(run.held).toBe(0);
});

test('the exit waits for no client that reads nothing; what is queued is still its own', async () => {
  const hub = new StreamHub();
  const run = new Run();
  const client = new Client();
  const reading = Promise.withResolvers<void>();
  client.reads = reading.promise;
  const joined = hub.join(client, all);
  hub.begin(run);
  for (let count = 0; count < 3; count++) run.say(MEGABYTE);
  await sleep(5);
  run.exit();
  hub.release('exited');
  await hub.drained();
  hub.end();
  reading.resolve();
  await joined;
  expect(client.text.length).toBe(3 << 20);
});

test('a client that blocks a task that is to stop is cut off', async () => {
  const hub = new StreamHub();
  const run = new Run();
  const client = new Client();
  client.reads = never;
  const joined = hub.join(client, all);
  hub.begin(run);
  for (let count = 0; count < 3; count++) run.say(MEGABYTE);
  await sleep(5);
  hub.release('stopping');
  await joined;
  await sleep(5);
  expect(run.held).toBe(0);
});

test('a client that lags behind a stopping task without blocking it keeps its place', async () => {
  const hub = new StreamHub();
  const run = new Run();
  const client = new Client();
  const reading = Promise.withResolvers<void>();
  client.reads = reading.promise;
  const joined = hub.join(client, all);
  hub.begin(run);
  run.say('last words');
  hub.release('stopping');
  await sleep(1500);
  run.exit();
  await hub.drained();
  hub.end();
  reading.resolve();
  await joined;
  expect(client.text).toBe('last words');
});

test("a half-close ends the run's stdin once it has begun", async () => {
  const hub = new StreamHub();
  const run = new Run();
  const client = new Client();
  const joined = hub.join(client, once);
  client.typed.resolve();
  hub.begin(run);
  await sleep(5);
  expect(run.stdinClosed).toBe(true);
  hub.end();
  await joined;
});

test('a client of an ended run does not close the stdin of the next one', async () => {
  const hub = new StreamHub();
  const [first, second] = [new Run(), new Run()];
  const client = new Client();
  const joined = hub.join(client, once);
  hub.begin(first);
  first.exit();
  await hub.drained();
  hub.end();
  await joined;
  client.typed.resolve();
  await sleep(5);
  hub.begin(second);
  await sleep(5);
  expect(second.stdinClosed).toBe(false);
  hub.end();
});

test('a client of a run that never began leaves with it', async () => {
  const hub = new StreamHub();
  const next = new Run();
  const client = new Client();
  const joined = hub.join(client, once);
  client.typed.resolve();
  hub.end();
  await joined;
  hub.begin(next);
  await sleep(5);
  expect(next.stdinClosed).toBe(false);
  hub.end();
});

test('a client that is gone before it joins stays not', async () => {
  const hub = new StreamHub();
  const client = new Client();
  client.gone.abort();
  await hub.join(client, all);
});
