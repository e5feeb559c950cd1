import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { ClientBlobs } from '../../builder/client-blobs.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { GrpcStream } from '../grpc/grpc-client.ts';
import { GRPC, GrpcError } from '../grpc/grpc-status.ts';
import {
  Content,
  ReadContentRequestSchema,
  ReadContentResponseSchema,
  WriteAction,
  WriteContentRequestSchema,
  type WriteContentResponse,
  WriteContentResponseSchema,
} from '../protocol/generated/content_pb.ts';
import type { OpenSession } from './session-store.ts';

/** Peers refuse larger messages (4 MB), smaller ones cost a round each. */
const PIECE_BYTES = 1 << 20;

/** One of the OCI layouts that the client of a session offers, by the name that it has given it. */
export class SessionBlobs implements ClientBlobs {
  readonly #session: OpenSession;
  readonly #store: string;

  constructor(session: OpenSession, store: string) {
    this.#session = session;
    this.#store = store;
  }

  async *read(digest: Digest, { signal }: { signal: AbortSignal }): AsyncGenerator<Uint8Array> {
    const stream = this.#open('read', signal);
    try {
      await stream.send(toBinary(ReadContentRequestSchema, create(ReadContentRequestSchema, { digest })));
      stream.finish();
      for await (const message of stream.messages())
        yield fromBinary(ReadContentResponseSchema, message).data;
    } finally {
      stream.close();
    }
  }

  async write(
    blob: Descriptor,
    data: () => AsyncIterable<Uint8Array>,
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    const stream = this.#open('write', signal);
    try {
      await new BlobWrite(stream, blob).run(data);
    } catch (error) {
      if (!isThere(error)) throw error;
    } finally {
      stream.close();
    }
  }

  #open(method: 'read' | 'write', signal: AbortSignal): GrpcStream {
    if (!/^[\x20-\x7e]*$/.test(this.#store))
      throw new EngineError('invalid', `Cannot name ${this.#store} in a header: it isn't ASCII`);
    const metadata = { 'buildkit-attachable-store-id': this.#store };
    return this.#session.client.open(Content.method[method], { signal, metadata });
  }
}

/** One blob on its way: each message is answered before the next. */
class BlobWrite {
  readonly #stream: GrpcStream;
  readonly #answers: AsyncGenerator<Uint8Array>;
  readonly #blob: Descriptor;

  constructor(stream: GrpcStream, blob: Descriptor) {
    this.#stream = stream;
    this.#answers = stream.messages();
    this.#blob = blob;
  }

  async run(data: () => AsyncIterable<Uint8Array>): Promise<void> {
    const { digest, size } = this.#blob;
    const about = { ref: `layer-${digest}`, total: BigInt(size), expected: digest };
    // What an earlier write left unfinished goes on from there.
    const { offset: begun } = await this.#ask({ action: WriteAction.STAT, ...about });
    let at = 0;
    for await (const chunk of data()) {
      const rest = chunk.subarray(Math.max(0, Math.min(chunk.length, Number(begun) - at)));
      at += chunk.length - rest.length;
      for (let from = 0; from < rest.length; from += PIECE_BYTES) {
        const piece = rest.subarray(from, from + PIECE_BYTES);
        const action = WriteAction.WRITE;
        const { offset } = await this.#ask({ action, ...about, offset: BigInt(at), data: piece });
        at += piece.length;
        if (Number(offset) !== at) throw new EngineError('internal', `short write of blob ${digest}`);
      }
    }
    const committed = await this.#ask({ action: WriteAction.COMMIT, ...about, offset: BigInt(at) });
    if (committed.digest !== digest)
      throw new EngineError('internal', `blob ${digest} became ${committed.digest} at the client's`);
    this.#stream.finish();
  }

  async #ask(request: MessageInitShape<typeof WriteContentRequestSchema>): Promise<WriteContentResponse> {
    await this.#stream.send(toBinary(WriteContentRequestSchema, create(WriteContentRequestSchema, request)));
    const { value, done } = await this.#answers.next();
    if (done === true) throw new EngineError('unavailable', 'the client has ended the write of a blob');
    return fromBinary(WriteContentResponseSchema, value);
  }
}

function isThere(error: unknown): boolean {
  return (
    error instanceof Error && error.cause instanceof GrpcError && error.cause.code === GRPC.alreadyExists
  );
}
