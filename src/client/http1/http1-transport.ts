import { EngineError } from '../../errors/engine-error.ts';
import type {
  BufferedResponse,
  ByteStream,
  Dial,
  HijackedConnection,
  ResponseHead,
  StreamedResponse,
  Transport,
  TransportRequest,
} from '../transport.ts';
import { connectError } from './connect-error.ts';
import { concat, type MessageHead, MessageReader } from './message-reader.ts';

const encoder = new TextEncoder();
const MAX_JOINED_BYTES = 64 * 1024;
/** A daemon need not be a friend. */
export const MAX_ANSWER_LENGTH = 512 * 1024 * 1024;
/** How long a connection that was made ahead is trusted to be whole. */
const AHEAD_MS = 1000;

/** HTTP/1.1 over connections that the platform opens, one per request: on a Unix socket that costs nothing worth keeping. */
export class Http1Transport implements Transport {
  readonly endpoint: string;
  readonly #dial: Dial;
  readonly #host: string;
  readonly #ahead: { stream: Promise<ByteStream>; untilMs: number }[] = [];

  constructor(options: { endpoint: string; dial: Dial; host: string }) {
    this.endpoint = options.endpoint;
    this.#dial = options.dial;
    this.#host = options.host;
  }

  connectAhead(count: number): void {
    for (let i = 0; i < count; i++) {
      const stream = this.#dial();
      stream.catch(() => undefined);
      this.#ahead.push({ stream, untilMs: performance.now() + AHEAD_MS });
    }
  }

  async #connect(): Promise<ByteStream> {
    for (let next = this.#ahead.shift(); next !== undefined; next = this.#ahead.shift()) {
      if (performance.now() < next.untilMs) return await next.stream;
      next.stream.then(
        (stream) => stream.close(),
        () => undefined,
      );
    }
    return await this.#dial();
  }

  async request(request: TransportRequest): Promise<BufferedResponse> {
    const response = await this.stream(request);
    return { status: response.status, header: response.header, text: await readText(response.body) };
  }

  async stream(request: TransportRequest): Promise<StreamedResponse> {
    const exchange = await this.#send(request, { connection: 'close' });
    const { head, reader, stream } = exchange;
    const body = request.method === 'HEAD' ? empty() : reader.body(head);
    return {
      ...responseHead(head),
      body: closing(body, { stream, signal: request.signal }),
      unref: () => stream.unref?.(),
    };
  }

  async hijack(request: TransportRequest): Promise<HijackedConnection | BufferedResponse> {
    const upgrade = { connection: 'Upgrade', upgrade: 'tcp' };
    const { head, reader, stream } = await this.#send(request, upgrade);
    const raw = head.headers.get('content-type')?.startsWith('application/vnd.docker.') === true;
    if (head.status !== 101 && !(head.status === 200 && raw)) {
      const body = closing(reader.body(head), { stream, signal: request.signal });
      return { ...responseHead(head), text: await readText(body) };
    }
    return {
      ...responseHead(head),
      input: closing(reader.rest(), { stream, signal: request.signal }),
      write: (data) => stream.write(data),
      closeWrite: () => stream.closeWrite(),
      close: () => stream.close(),
    };
  }

  async #send(
    request: TransportRequest,
    extra: Record<string, string>,
  ): Promise<{ head: MessageHead; reader: MessageReader; stream: ByteStream }> {
    request.signal?.throwIfAborted();
    let stream: ByteStream;
    try {
      stream = await this.#connect();
    } catch (error) {
      throw connectError(this.endpoint, error);
    }
    const abort = () => stream.close();
    request.signal?.addEventListener('abort', abort, { once: true });
    try {
      // An abort while it connected had no listener.
      request.signal?.throwIfAborted();
      const reader = new MessageReader(stream.chunks);
      const answer = reader.head();
      // An early refusal may come while the body is still going out: then the answer counts, not the broken pipe.
      const sent = this.#write(stream, request, extra);
      sent.catch(() => undefined);
      const head = await Promise.race([answer, sent.then(() => answer)]).catch(() => answer);
      return { head, reader, stream };
    } catch (error) {
      stream.close();
      request.signal?.throwIfAborted();
      throw error;
    } finally {
      request.signal?.removeEventListener('abort', abort);
    }
  }

  async #write(stream: ByteStream, request: TransportRequest, extra: Record<string, string>): Promise<void> {
    const body = typeof request.body === 'string' ? encoder.encode(request.body) : request.body;
    const headers: Record<string, string> = { host: this.#host, ...request.headers, ...extra };
    if (body instanceof Uint8Array) headers['content-length'] = String(body.length);
    else if (body !== undefined) headers['transfer-encoding'] = 'chunked';
    else if (request.method === 'POST' || request.method === 'PUT') headers['content-length'] = '0';
    const head = encoder.encode(requestHead(request, headers));
    // Small ones in one packet, which the daemon reads in one go.
    const whole = body instanceof Uint8Array && body.length <= MAX_JOINED_BYTES;
    await stream.write(whole ? concat(head, body) : head);
    if (whole || body === undefined) return;
    if (body instanceof Uint8Array) await stream.write(body);
    else await writeChunked(stream, body);
  }
}

function requestHead(request: TransportRequest, headers: Record<string, string>): string {
  let text = `${request.method} ${request.path} HTTP/1.1\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (/[\r\n\0]/.test(value)) throw new EngineError('invalid', `Line break in the value of header ${name}`);
    text += `${name}: ${value}\r\n`;
  }
  if (/[\s\0]/.test(request.path))
    throw new EngineError('invalid', `Invalid request path ${JSON.stringify(request.path)}`);
  return `${text}\r\n`;
}

async function writeChunked(stream: ByteStream, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    if (chunk.length === 0) continue;
    await stream.write(encoder.encode(`${chunk.length.toString(16)}\r\n`));
    await stream.write(chunk);
    await stream.write(encoder.encode('\r\n'));
  }
  await stream.write(encoder.encode('0\r\n\r\n'));
}

async function* closing(
  body: AsyncIterable<Uint8Array>,
  { stream, signal }: { stream: ByteStream; signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void, undefined> {
  const abort = () => stream.close();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    // Nor had one between the head and the first look at the body.
    signal?.throwIfAborted();
    yield* body;
    signal?.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
    stream.close();
  }
}

async function* empty(): AsyncGenerator<Uint8Array, void, undefined> {}

function responseHead(head: MessageHead): ResponseHead {
  return { status: head.status, header: (name) => head.headers.get(name.toLowerCase()) };
}

/** @throws EngineError "invalid", code size-exceeded, as soon as there is more than that. */
export async function readText(
  body: AsyncIterable<Uint8Array>,
  maxLength = MAX_ANSWER_LENGTH,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > maxLength)
      throw new EngineError('invalid', `The daemon's answer is longer than ${maxLength} characters`, {
        code: 'size-exceeded',
      });
  }
  return text + decoder.decode();
}
