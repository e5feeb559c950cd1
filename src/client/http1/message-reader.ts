import { EngineError } from '../../errors/engine-error.ts';

const MAX_HEAD_BYTES = 64 * 1024;
const MAX_CHUNK_LINE_BYTES = 1024;
const CR_LF = '\r\n';

export interface MessageHead {
  status: number;
  headers: Map<string, string>;
}

/** Reads one HTTP/1.1 response, and whatever raw bytes follow it, from a byte stream. */
export class MessageReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#source = chunks[Symbol.asyncIterator]();
  }

  /**
   * Status line and headers (names in lower case, the first of a repeated one); interim 1xx answers but 101 are skipped.
   *
   * @throws EngineError "unavailable" when the connection ends first or what comes is no HTTP.
   */
  async head(): Promise<MessageHead> {
    while (true) {
      const text = await this.#until('\r\n\r\n', MAX_HEAD_BYTES, () => broken('the connection ended early'));
      const head = parseHead(text);
      if (head.status === 101 || head.status >= 200) return head;
    }
  }

  /** The body as its headers delimit it. */
  body(head: MessageHead): AsyncIterable<Uint8Array> {
    if (head.status === 204 || head.status === 304) return this.#exactly(0);
    if (/\bchunked\b/i.test(head.headers.get('transfer-encoding') ?? '')) return this.#chunked();
    const length = head.headers.get('content-length');
    if (length === undefined) return this.rest();
    if (!/^\d{1,15}$/.test(length)) throw broken(`content-length ${JSON.stringify(length)}`);
    return this.#exactly(Number(length));
  }

  /** Every byte until the peer closes. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#buffer.length > 0) yield this.#take(this.#buffer.length);
    while (await this.#fill()) yield this.#take(this.#buffer.length);
  }

  async *#exactly(size: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = size; left > 0; ) {
      if (this.#buffer.length === 0 && !(await this.#fill())) throw cutShort();
      const chunk = this.#take(Math.min(left, this.#buffer.length));
      left -= chunk.length;
      yield chunk;
    }
  }

  async *#chunked(): AsyncGenerator<Uint8Array, void, undefined> {
    while (true) {
      const line = await this.#until(CR_LF, MAX_CHUNK_LINE_BYTES);
      const size = /^([0-9a-f]{1,12})(?:\s*;.*)?$/i.exec(line)?.[1];
      if (size === undefined) throw broken(`chunk size ${JSON.stringify(line)}`);
      const length = Number.parseInt(size, 16);
      if (length === 0) {
        while ((await this.#until(CR_LF, MAX_HEAD_BYTES)) !== '');
        return;
      }
      yield* this.#exactly(length);
      if ((await this.#until(CR_LF, MAX_CHUNK_LINE_BYTES)) !== '') throw broken('chunk without end');
    }
  }

  async #until(delimiter: string, limit: number, ended = cutShort): Promise<string> {
    for (let from = 0; ; ) {
      const at = indexOf(this.#buffer, delimiter, from);
      if (at >= 0) {
        const text = new TextDecoder().decode(this.#take(at));
        this.#take(delimiter.length);
        return text;
      }
      if (this.#buffer.length > limit) throw broken('a header is too long');
      from = Math.max(0, this.#buffer.length - delimiter.length + 1);
      if (!(await this.#fill())) throw ended();
    }
  }

  async #fill(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    this.#buffer = this.#buffer.length === 0 ? next.value : concat(this.#buffer, next.value);
    return true;
  }

  #take(size: number): Uint8Array {
    const taken = this.#buffer.subarray(0, size);
    this.#buffer = this.#buffer.subarray(size);
    return taken;
  }
}

function parseHead(text: string): MessageHead {
  const [statusLine = '', ...lines] = text.split(CR_LF);
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) throw broken(`${JSON.stringify(statusLine.slice(0, 100))} is no HTTP answer`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw broken(`header ${JSON.stringify(line.slice(0, 100))}`);
    const name = line.slice(0, colon).toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return { status: Number(status), headers };
}

function indexOf(bytes: Uint8Array, delimiter: string, from: number): number {
  for (let at = bytes.indexOf(0x0d, from); at >= 0; at = bytes.indexOf(0x0d, at + 1)) {
    let same = at + delimiter.length <= bytes.length;
    for (let i = 1; same && i < delimiter.length; i++) same = bytes[at + i] === delimiter.charCodeAt(i);
    if (same) return at;
  }
  return -1;
}

export function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const whole = new Uint8Array(left.length + right.length);
  whole.set(left);
  whole.set(right, left.length);
  return whole;
}

/** The body ends before its end, in Docker's words. */
function cutShort(): EngineError {
  return new EngineError('unavailable', 'unexpected EOF');
}

function broken(what: string): EngineError {
  return new EngineError('unavailable', `error during connect: the daemon's answer can't be read: ${what}`);
}
