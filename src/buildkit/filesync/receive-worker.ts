import { randomUUID } from 'node:crypto';
import { EngineError, serializeError } from '../../errors/engine-error.ts';
import { bootId } from '../../sys/clock.ts';
import { FileReceiver } from './file-receiver.ts';
import { takeListing, writeListing } from './listing-file.ts';
import { PacketBatch, packetsOf, type ReceiveReply, type ReceiveRequest } from './receive-protocol.ts';

declare const self: Worker;

let outgoing = new PacketBatch();
let receiver: FileReceiver | undefined;
let listingFile = '';
let versionBefore = '';
let isOver = true;

self.onmessage = ({ data }: MessageEvent<ReceiveRequest>) => {
  if (data.kind === 'abort') {
    end();
    reply({ kind: 'ended' });
    return;
  }
  if (isOver && data.kind !== 'begin') return;
  try {
    if (data.kind === 'begin') begin(data.directory, data.listing);
    else if (data.kind === 'packets') take(data.bytes);
    else throw new EngineError('unavailable', 'the files that a client sends ended before their end');
  } catch (error) {
    end();
    reply({ kind: 'failed', error: serializeError(error) });
  }
};

/** A transfer after another finds nothing of it. */
function begin(directory: string, listing: string): void {
  isOver = false;
  outgoing = new PacketBatch();
  listingFile = listing;
  const { files, version } = takeListing(directory, listing, bootId());
  versionBefore = version;
  receiver = new FileReceiver({
    directory,
    present: files,
    send: (packet) => outgoing.add(packet),
  });
}

function take(batch: Uint8Array): void {
  if (receiver === undefined) return;
  let isDone = false;
  for (const packet of packetsOf(batch)) isDone = receiver.take(packet);
  reply({ kind: 'taken', send: outgoing.take() });
  if (!isDone) return;
  const version = receiver.isUnchanged ? versionBefore : randomUUID();
  writeListing(listingFile, { files: receiver.listing, version }, bootId());
  end();
  reply({ kind: 'done', version });
}

function end(): void {
  isOver = true;
  receiver?.close();
  receiver = undefined;
}

function reply(message: ReceiveReply): void {
  self.postMessage(message);
}
