import { setPriority } from 'node:os';
import { EngineError, serializeError } from '../../errors/engine-error.ts';
import { bootId } from '../../sys/clock.ts';
import { FileReceiver } from './file-receiver.ts';
import { takeListing, writeListing } from './listing-file.ts';
import { PacketBatch, packetsOf, type ReceiveReply, type ReceiveRequest } from './receive-protocol.ts';

declare const self: Worker;

// On Linux 0 is the calling thread: bulk work yields to the thread that answers requests, and to containers.
setPriority(0, 5);

const outgoing = new PacketBatch();
let receiver: FileReceiver | undefined;
let listingFile = '';
let isOver = false;

self.onmessage = ({ data }: MessageEvent<ReceiveRequest>) => {
  if (data.kind === 'abort') {
    end();
    reply({ kind: 'ended' });
    return;
  }
  if (isOver) return;
  try {
    if (data.kind === 'begin') begin(data.directory, data.listing);
    else if (data.kind === 'packets') take(data.bytes);
    else throw new EngineError('unavailable', 'the files that a client sends ended before their end');
  } catch (error) {
    end();
    reply({ kind: 'failed', error: serializeError(error) });
  }
};

function begin(directory: string, listing: string): void {
  listingFile = listing;
  receiver = new FileReceiver({
    directory,
    present: takeListing(directory, listing, bootId()),
    send: (packet) => outgoing.add(packet),
  });
}

function take(batch: Uint8Array): void {
  if (receiver === undefined) return;
  let isDone = false;
  for (const packet of packetsOf(batch)) isDone = receiver.take(packet);
  reply({ kind: 'taken', send: outgoing.take() });
  if (!isDone) return;
  writeListing(listingFile, receiver.listing, bootId());
  end();
  reply({ kind: 'done' });
}

function end(): void {
  isOver = true;
  receiver?.close();
}

function reply(message: ReceiveReply): void {
  self.postMessage(message);
}
