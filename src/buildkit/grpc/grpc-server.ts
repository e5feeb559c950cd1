import http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import type { DescMethod, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { asGrpcError, GRPC, GrpcError, trailersOf } from './grpc-status.ts';
import { readMessages, writeMessage } from './message-frames.ts';
import { WINDOW_BYTES } from './window.ts';

/** One call, as its method sees it. */
export interface GrpcCall {
  /** The request's headers, lower case. */
  metadata: http2.IncomingHttpHeaders;
  /** Aborted when the caller is gone or has cancelled. */
  signal: AbortSignal;
}

type Handler<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? (request: MessageShape<M['input']>, call: GrpcCall) => Promise<MessageInitShape<M['output']>>
  : M['methodKind'] extends 'server_streaming'
    ? (request: MessageShape<M['input']>, call: GrpcCall) => AsyncIterable<MessageInitShape<M['output']>>
    : (
        requests: AsyncIterable<MessageShape<M['input']>>,
        call: GrpcCall,
      ) => AsyncIterable<MessageInitShape<M['output']>>;

/** The methods of a service that are there; calls of the others are answered with "unimplemented". */
export type Implementation<S extends DescService> = { [K in keyof S['method']]?: Handler<S['method'][K]> };

type AnyHandler = (input: unknown, call: GrpcCall) => Promise<object> | AsyncIterable<object>;

interface Served {
  method: DescMethod;
  handler: AnyHandler;
}

/** Requests are graphs, attributes and paths; what is larger comes as a stream of smaller ones. gRPC's own default is 4 MB. */
const MAX_MESSAGE_BYTES = 16 << 20;

/** gRPC services on connections that someone else accepted. */
export class GrpcServer {
  readonly #methods = new Map<string, Served>();
  readonly #logger: Logger;
  readonly #sockets = new Set<Duplex>();
  readonly #http = http2.createServer({ settings: { initialWindowSize: WINDOW_BYTES } });

  constructor(logger: Logger = silentLogger) {
    this.#logger = logger;
    this.#http.on('session', (session) => {
      session.setLocalWindowSize(WINDOW_BYTES);
      // Go's clients end with a GOAWAY and close at once, which every listener hears of as an error.
      session.on('error', () => undefined);
    });
    this.#http.on('sessionError', () => undefined);
    this.#http.on('stream', (stream, headers) => {
      void this.#serve(stream as http2.ServerHttp2Stream, headers);
    });
  }

  add<S extends DescService>(service: S, implementation: Implementation<S>): void {
    for (const [name, method] of Object.entries(service.method)) {
      const handler = implementation[name as keyof Implementation<S>] as AnyHandler | undefined;
      if (handler === undefined) continue;
      this.#methods.set(`/${service.typeName}/${method.name}`, {
        method,
        handler: handler.bind(implementation) as AnyHandler,
      });
    }
  }

  /** Serve the calls of one connection that speaks HTTP/2 with prior knowledge. */
  accept(socket: Duplex): void {
    socket.on('error', () => undefined);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // A caller of gRPC has no use for half a connection, and Bun ends no session for one that is gone.
    socket.once('end', () => socket.destroy());
    this.#http.once('session', (session) => socket.once('close', () => session.destroy()));
    this.#http.emit('connection', socket);
  }

  /** Part with every caller; their calls are cancelled. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): Promise<void> {
    const path = String(headers[':path']);
    const gone = new AbortController();
    const call = { metadata: headers, signal: gone.signal };
    stream.on('error', () => undefined);
    stream.on('aborted', () => gone.abort(new GrpcError(GRPC.canceled, 'context canceled')));
    stream.on('close', () => gone.abort(new GrpcError(GRPC.canceled, 'context canceled')));
    let failure: GrpcError | undefined;
    try {
      const served = this.#methods.get(path);
      if (served === undefined) throw new GrpcError(GRPC.unimplemented, `unknown method ${path}`);
      for await (const message of answersOf(served, stream, call)) {
        if (!stream.headersSent) this.#respond(stream, () => failure);
        await writeMessage(stream, message);
      }
    } catch (error) {
      failure = asGrpcError(error);
      if (!gone.signal.aborted) this.#logger.debug('A call failed', { path, error: failure.message });
    }
    this.#end(stream, failure);
  }

  #respond(stream: http2.ServerHttp2Stream, failure: () => GrpcError | undefined): void {
    stream.on('wantTrailers', () => stream.sendTrailers(trailersOf(failure())));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  }

  /** What the caller still sends after the answer is not waited for. */
  #end(stream: http2.ServerHttp2Stream, failure: GrpcError | undefined): void {
    if (stream.destroyed || stream.closed) return;
    if (stream.headersSent) stream.end();
    else
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', ...trailersOf(failure) },
        { endStream: true },
      );
    stream.resume();
  }
}

async function* answersOf(
  { method, handler }: Served,
  stream: http2.ServerHttp2Stream,
  call: GrpcCall,
): AsyncGenerator<Uint8Array> {
  const requests = decoded(method, stream);
  const streamed = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  const input = streamed ? requests : await only(requests);
  const answer = handler(input, call);
  if (answer instanceof Promise) {
    yield encoded(method, await answer);
    return;
  }
  for await (const message of answer) yield encoded(method, message);
}

async function* decoded(method: DescMethod, stream: http2.ServerHttp2Stream): AsyncGenerator<object> {
  for await (const bytes of readMessages(stream, { maxBytes: MAX_MESSAGE_BYTES })) yield parse(method, bytes);
}

function parse(method: DescMethod, bytes: Uint8Array): object {
  try {
    return fromBinary(method.input, bytes);
  } catch (error) {
    throw new GrpcError(GRPC.invalidArgument, `cannot read ${method.input.typeName}: ${String(error)}`);
  }
}

async function only(requests: AsyncIterable<object>): Promise<object> {
  for await (const request of requests) return request;
  throw new GrpcError(GRPC.invalidArgument, 'a call without its message');
}

function encoded(method: DescMethod, message: object): Uint8Array {
  return toBinary(method.output, create(method.output, message as Record<string, unknown>));
}
