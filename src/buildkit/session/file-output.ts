import { create, toBinary } from '@bufbuild/protobuf';
import type { OutputSink } from '../../builder/build-session.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { GrpcStream } from '../grpc/grpc-client.ts';
import { BytesMessageSchema, FileSend } from '../protocol/generated/filesync_pb.ts';
import type { OpenSession } from './session-store.ts';

/** Larger than this a message is refused by the client's library (4 MB), smaller ones cost more each. */
const PIECE_BYTES = 1 << 20;

export const FILE_SEND = '/moby.filesync.v1.FileSend/DiffCopy';

/** A call that sends to the client's output of that id. @throws EngineError "not-implemented" where the client takes none. */
export function openOutput(
  session: OpenSession,
  id: string,
  { signal, about = {} }: { signal: AbortSignal; about?: Readonly<Record<string, string>> },
): GrpcStream {
  if (!session.offers(FILE_SEND))
    throw new EngineError('not-implemented', `method ${FILE_SEND} not supported by the client`);
  const metadata = Object.fromEntries(
    Object.entries(about).map(([name, value]) => [`exporter-md-${name.toLowerCase()}`, value]),
  );
  return session.client.open(FileSend.method.diffCopy, {
    signal,
    metadata: { ...metadata, 'buildkit-attachable-exporter-id': id },
  });
}

/** The client's output of that id, which is one file: an archive. */
export class ArchiveOutput implements OutputSink {
  readonly #session: OpenSession;
  readonly #id: string;
  readonly #about: Readonly<Record<string, string>>;

  constructor(session: OpenSession, id: string, about: Readonly<Record<string, string>>) {
    this.#session = session;
    this.#id = id;
    this.#about = about;
  }

  async write(archive: ReadableStream<Uint8Array>, { signal }: { signal: AbortSignal }): Promise<void> {
    const stream = openOutput(this.#session, this.#id, { signal, about: this.#about });
    try {
      for await (const chunk of archive)
        for (let at = 0; at < chunk.length; at += PIECE_BYTES)
          await stream.send(messageOf(chunk.subarray(at, at + PIECE_BYTES)));
      stream.finish();
      // The client has written all of it when it ends the call.
      for await (const _ of stream.messages());
    } finally {
      stream.close();
    }
  }
}

function messageOf(data: Uint8Array): Uint8Array {
  return toBinary(BytesMessageSchema, create(BytesMessageSchema, { data }));
}
