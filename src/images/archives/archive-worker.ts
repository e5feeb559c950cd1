import { setPriority } from 'node:os';
import { LocalContentStore } from '../../content/local-content-store.ts';
import { serializeError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ArchiveReply, ArchiveRequest } from './archive-worker-protocol.ts';
import { receiveArchive } from './receive-archive.ts';

declare const self: Worker;

// On Linux 0 is the calling thread: bulk work yields to the thread that answers requests, and to containers.
setPriority(0, 5);

const aborting = new AbortController();
const chunks: Uint8Array[] = [];
const holding = new Map<Digest, PromiseWithResolvers<void>>();
let ended = false;
let wake: (() => void) | undefined;

self.onmessage = ({ data }: MessageEvent<ArchiveRequest>) => {
  if (data.kind === 'begin') void receive(data.contentRoot);
  else if (data.kind === 'held') holding.get(data.blob)?.resolve();
  else {
    if (data.kind === 'chunk') chunks.push(data.bytes);
    else if (data.kind === 'end') ended = true;
    else abort();
    wake?.();
  }
};

function abort(): void {
  aborting.abort();
  for (const { reject } of holding.values()) reject(aborting.signal.reason);
}

function reply(message: ArchiveReply): void {
  self.postMessage(message);
}

async function receive(contentRoot: string): Promise<void> {
  try {
    const archive = await receiveArchive(incoming(), {
      content: await LocalContentStore.open(contentRoot),
      hold,
      signal: aborting.signal,
    });
    reply({ kind: 'done', archive });
  } catch (error) {
    reply({ kind: 'failed', error: serializeError(error) });
  }
}

async function hold(blob: Digest): Promise<void> {
  const asked = holding.get(blob);
  if (asked !== undefined) return await asked.promise;
  const held = Promise.withResolvers<void>();
  holding.set(blob, held);
  reply({ kind: 'hold', blob });
  await held.promise;
}

function incoming(): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (chunks.length === 0 && !ended && !aborting.signal.aborted) {
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          await promise;
        }
        aborting.signal.throwIfAborted();
        const next = chunks.shift();
        if (next === undefined) return controller.close();
        controller.enqueue(next);
        reply({ kind: 'taken' });
      },
    },
    { highWaterMark: 0 },
  );
}
