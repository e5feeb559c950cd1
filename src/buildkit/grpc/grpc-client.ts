import http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import type { DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { asEngineError, errorOfTrailers, GRPC, GrpcError } from './grpc-status.ts';
import { readMessages, writeMessage } from './message-frames.ts';
import { WINDOW_BYTES } from './window.ts';

export interface CallOptions {
  signal: AbortSignal;
  metadata?: Readonly<Record<string, string | string[]>>;
}

/** A call whose two sides go on side by side. Bytes are messages, not decoded. */
export interface GrpcStream {
  /** What the peer sends, each good until the next. @throws EngineError as the peer ended the call. */
  messages(): AsyncGenerator<Uint8Array>;
  /** Resolves when there is room for more. */
  send(message: Uint8Array): Promise<void>;
  /** Nothing more is sent. */
  finish(): void;
  /** Cancel, where it hasn't ended. */
  close(): void;
}

/** A peer's single message may be so large: contexts come in pieces of 32 KB, secrets in one. */
const MAX_MESSAGE_BYTES = 16 << 20;

/** Calls services of a peer on a connection that it made: the peer is the server, though it connected. */
export class GrpcClient {
  readonly #session: http2.ClientHttp2Session;
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Duplex) {
    socket.on('error', () => undefined);
    this.#session = http2.connect('http://session', {
      createConnection: () => socket,
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    });
    this.#session.on('error', () => undefined);
    this.#session.on('connect', () => {
      // Bun tells of the connection also when it is gone meanwhile.
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(WINDOW_BYTES);
    });
    this.#session.on('close', () => this.#closed.resolve());
    socket.on('close', () => this.#session.destroy());
    // One who ends its half is gone: what is under way would have no answer.
    socket.once('end', () => socket.destroy());
  }

  /** Resolves when the peer is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get isClosed(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  close(): void {
    this.#session.destroy();
  }

  /** One question, one answer. @throws EngineError of the peer's refusal; the signal's reason. */
  async call<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M['input']>,
    options: CallOptions,
  ): Promise<MessageShape<M['output']>> {
    const stream = this.open(method, options);
    try {
      await stream.send(toBinary(method.input, create(method.input, request)));
      stream.finish();
      let answer: MessageShape<M['output']> | undefined;
      for await (const bytes of stream.messages())
        answer ??= fromBinary(method.output, bytes) as MessageShape<M['output']>;
      if (answer === undefined) throw asEngineError(new GrpcError(GRPC.internal, 'a call without an answer'));
      return answer;
    } finally {
      stream.close();
    }
  }

  /** @throws EngineError "unavailable" when the peer is gone. */
  open(method: DescMethod, { signal, metadata = {} }: CallOptions): GrpcStream {
    signal.throwIfAborted();
    if (this.isClosed) throw asEngineError(new GrpcError(GRPC.unavailable, 'no active session'));
    const stream = this.#session.request({
      ...metadata,
      ':method': 'POST',
      ':path': `/${method.parent.typeName}/${method.name}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    return new ClientStream(stream, signal);
  }
}

class ClientStream implements GrpcStream {
  readonly #stream: http2.ClientHttp2Stream;
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => this.close();
  #trailers: Readonly<Record<string, unknown>> = {};

  constructor(stream: http2.ClientHttp2Stream, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    stream.on('error', () => undefined);
    // A call that failed at once has its status among the headers.
    stream.on('response', (headers) => {
      if (headers['grpc-status'] !== undefined) this.#trailers = headers;
    });
    stream.on('trailers', (trailers) => {
      this.#trailers = trailers;
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
    stream.once('close', () => signal.removeEventListener('abort', this.#onAbort));
  }

  async *messages(): AsyncGenerator<Uint8Array> {
    try {
      yield* readMessages(this.#stream, { maxBytes: MAX_MESSAGE_BYTES });
    } catch (error) {
      this.#signal.throwIfAborted();
      const told = errorOfTrailers(this.#trailers);
      throw asEngineError(
        told ?? (error instanceof GrpcError ? error : new GrpcError(GRPC.unavailable, String(error))),
      );
    }
    this.#signal.throwIfAborted();
    const failure = errorOfTrailers(this.#trailers);
    if (failure !== undefined) throw asEngineError(failure);
  }

  async send(message: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted();
    try {
      await writeMessage(this.#stream, message);
    } catch (error) {
      this.#signal.throwIfAborted();
      throw error instanceof GrpcError ? asEngineError(errorOfTrailers(this.#trailers) ?? error) : error;
    }
  }

  finish(): void {
    this.#stream.end();
  }

  close(): void {
    if (!this.#stream.closed) this.#stream.close(http2.constants.NGHTTP2_CANCEL);
  }
}
