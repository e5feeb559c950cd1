import type { TaskOutput, TaskStreams } from '../../runtime/runtime.ts';
import type { AttachClient } from '../container-backend.ts';

/** Bytes that wait for one client before the container has to wait (back-pressure, as Docker has it). */
const QUEUE_LIMIT_BYTES = 1 << 20;
/** A client that takes nothing for so long, while a container that is to stop waits for it, is cut off. */
const STALLED_MS = 1_000;
const STALL_CHECK_MS = 200;
/** What waits for a client goes to it in pieces of about this size, however small it came. */
const BATCH_BYTES = 128 << 10;
/** What is so large goes as it is: putting it together with more would only copy it. */
const LARGE_BYTES = 32 << 10;

interface HubClient {
  client: AttachClient;
  stdout: boolean;
  stderr: boolean;
  queue: TaskOutput[];
  queuedBytes: number;
  lastProgress: number;
  /** Wakes the pump of this client. */
  wake: () => void;
  gone: boolean;
  done: PromiseWithResolvers<void>;
  /** Resolved when nothing more is to be delivered, though a write may hang. */
  cut: PromiseWithResolvers<void>;
}

/**
 * The clients attached to one container, over all its starts: they see the same output from the moment of joining, and what they type goes
 * in in the order of arrival. One connection to the monitor serves them all.
 */
export class StreamHub {
  readonly #clients = new Set<HubClient>();
  #streams: TaskStreams | undefined;
  #pumping: Promise<void> = Promise.resolve();
  #room: PromiseWithResolvers<void> | undefined;
  #ending: 'no' | 'stopping' | 'exited' = 'no';
  /** The streams of the run that clients join; undefined: it ended before it began. */
  #run = Promise.withResolvers<TaskStreams | undefined>();
  #stallTimer: ReturnType<typeof setTimeout> | undefined;

  /** Take over the streams of a start; call before the command runs. `onOutput` is told of all that it prints. */
  begin(streams: TaskStreams, onOutput: (bytes: number) => void = () => undefined): void {
    this.#streams = streams;
    this.#ending = 'no';
    this.#pumping = this.#pump(streams, onOutput);
    this.#run.resolve(streams);
  }

  /** Resolves when the task has closed its output and all of it is queued for the clients, each of which reads it in its own time. */
  async drained(): Promise<void> {
    await this.#pumping;
  }

  /**
   * The task is being stopped: clients that do not read may not hold it up any longer. Or it has exited: what output is left is little and
   * is queued at once, so that no client holds up the exit.
   */
  release(reason: 'exited' | 'stopping'): void {
    this.#ending = reason;
    if (reason === 'exited') this.#makeRoom();
    else this.#watchStalled();
  }

  /** The start has ended, or failed: all clients leave. */
  end(): void {
    this.#streams?.close();
    this.#streams = undefined;
    this.#run.resolve(undefined);
    this.#run = Promise.withResolvers<TaskStreams | undefined>();
    for (const member of this.#clients) this.#finish(member);
  }

  /** Resolves when the client has left or the container's run has ended. */
  async join(
    client: AttachClient,
    wants: { stdout: boolean; stderr: boolean; stdin: boolean; closeStdin: boolean },
  ): Promise<void> {
    const member: HubClient = {
      client,
      stdout: wants.stdout,
      stderr: wants.stderr,
      queue: [],
      queuedBytes: 0,
      lastProgress: Date.now(),
      wake: () => undefined,
      gone: false,
      done: Promise.withResolvers<void>(),
      cut: Promise.withResolvers<void>(),
    };
    this.#clients.add(member);
    client.signal.addEventListener('abort', () => this.#leave(member), { once: true });
    if (client.signal.aborted) this.#leave(member);
    const writing = this.#deliver(member);
    if (wants.stdin) void this.#takeInput(member, this.#run.promise, wants.closeStdin);
    await member.done.promise;
    await Promise.race([writing, member.cut.promise]);
    this.#clients.delete(member);
  }

  async #pump(streams: TaskStreams, onOutput: (bytes: number) => void): Promise<void> {
    try {
      for await (const output of streams.output()) {
        onOutput(output.data.length);
        for (const member of this.#clients) this.#enqueue(member, output);
        while (this.#ending !== 'exited' && this.#isFull()) await this.#waitForRoom();
      }
    } catch {
      // The monitor is gone: the exit path tells of it.
    }
  }

  #enqueue(member: HubClient, output: TaskOutput): void {
    if (member.gone || !(output.stream === 'stdout' ? member.stdout : member.stderr)) return;
    if (member.queue.length === 0) member.lastProgress = Date.now();
    member.queue.push(output);
    member.queuedBytes += output.data.length;
    member.wake();
  }

  #isFull(): boolean {
    return this.#clients.values().some((member) => !member.gone && member.queuedBytes > QUEUE_LIMIT_BYTES);
  }

  async #waitForRoom(): Promise<void> {
    this.#room ??= Promise.withResolvers<void>();
    this.#watchStalled();
    await this.#room.promise;
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  async #deliver(member: HubClient): Promise<void> {
    try {
      while (true) {
        const next = takeTogether(member.queue);
        if (next === undefined) {
          if (member.gone) return;
          await new Promise<void>((resolve) => {
            member.wake = resolve;
          });
          continue;
        }
        await member.client.write(next.stream, next.data);
        member.lastProgress = Date.now();
        member.queuedBytes -= next.data.length;
        this.#makeRoom();
      }
    } catch {
      this.#leave(member);
    }
  }

  /** What is typed goes to the run that the client joined, never to a later one. */
  async #takeInput(
    member: HubClient,
    run: Promise<TaskStreams | undefined>,
    closeStdin: boolean,
  ): Promise<void> {
    try {
      for await (const chunk of member.client.stdin) {
        if (member.gone) return;
        await (await run)?.write(chunk);
      }
    } catch {
      // The container takes no more, or the client vanished: its output goes on, or `leave` has run.
      if (!member.gone) return;
    }
    if (closeStdin) await (await run)?.closeStdin().catch(() => undefined);
    // As in Docker: a client whose input ends, where the container's stays open, has said that it goes.
    else this.#finish(member);
  }

  /** Ended by the container: what is queued is still delivered. */
  #finish(member: HubClient): void {
    member.gone = true;
    member.wake();
    member.done.resolve();
    this.#makeRoom();
  }

  /** Ended by the client, or cut off: nothing more is delivered. */
  #leave(member: HubClient): void {
    member.queue = [];
    member.queuedBytes = 0;
    this.#finish(member);
    member.cut.resolve();
  }

  #watchStalled(): void {
    if (this.#ending !== 'stopping' || this.#stallTimer !== undefined || !this.#isFull()) return;
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined;
      this.#cutStalled();
      this.#watchStalled();
    }, STALL_CHECK_MS);
  }

  #cutStalled(): void {
    const now = Date.now();
    for (const member of this.#clients) {
      const full = !member.gone && member.queuedBytes > QUEUE_LIMIT_BYTES;
      if (full && now - member.lastProgress >= STALLED_MS) this.#leave(member);
    }
  }
}

/** The first of the queue, and what follows it from the same stream, as one. */
function takeTogether(queue: TaskOutput[]): TaskOutput | undefined {
  const [first, second] = queue;
  if (first === undefined || second === undefined || second.stream !== first.stream) return queue.shift();
  if (first.data.length >= LARGE_BYTES) return queue.shift();
  let count = 0;
  let bytes = 0;
  for (const { stream, data } of queue) {
    if (stream !== first.stream || (count > 0 && bytes + data.length > BATCH_BYTES)) break;
    count++;
    bytes += data.length;
  }
  const pieces = queue.splice(0, count).map(({ data }) => data);
  return { stream: first.stream, data: Buffer.concat(pieces, bytes) };
}
