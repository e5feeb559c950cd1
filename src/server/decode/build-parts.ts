import { EngineError } from '../../errors/engine-error.ts';

const MAX_NAME = 1024;
const MAX_PIECE = 1 << 24;

export interface BodyPart {
  name: string;
  /** To be read to its end before the next part is asked for. */
  data: AsyncIterable<Uint8Array>;
}

/** Takes a body of parts apart as it comes (`BUILD_BODY_TYPE`). @throws EngineError "invalid" for one that is cut short. */
export class BodyParts {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);
  #isInside = false;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#iterator = body[Symbol.asyncIterator]();
  }

  async next(): Promise<BodyPart | undefined> {
    if (this.#isInside) throw new EngineError('internal', 'The part before was not read to its end');
    const head = await this.#take(2, { mayEnd: true });
    if (head === undefined) return undefined;
    const length = ((head[0] ?? 0) << 8) | (head[1] ?? 0);
    if (length > MAX_NAME) throw cut();
    const name = new TextDecoder().decode(await this.#take(length));
    this.#isInside = true;
    return { name, data: this.#pieces() };
  }

  /** A small part whole. */
  async read(part: BodyPart, maxBytes: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of part.data) {
      size += chunk.length;
      if (size > maxBytes)
        throw new EngineError('invalid', `${part.name} is larger than ${maxBytes} bytes`, {
          code: 'size-exceeded',
        });
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const head = (await this.#take(4)) ?? new Uint8Array(4);
      let left = Buffer.from(head).readUInt32BE();
      if (left === 0) break;
      if (left > MAX_PIECE) throw cut();
      while (left > 0) {
        if (this.#buffer.length === 0 && !(await this.#fill())) throw cut();
        const piece = this.#buffer.subarray(0, left);
        this.#buffer = this.#buffer.subarray(piece.length);
        left -= piece.length;
        yield piece;
      }
    }
    this.#isInside = false;
  }

  async #fill(): Promise<boolean> {
    const { done, value } = await this.#iterator.next();
    if (done === true) return false;
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value]);
    return true;
  }

  async #take(length: number, { mayEnd = false } = {}): Promise<Uint8Array | undefined> {
    while (this.#buffer.length < length) {
      if (await this.#fill()) continue;
      if (mayEnd && this.#buffer.length === 0) return undefined;
      throw cut();
    }
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }
}

function cut(): EngineError {
  return new EngineError('invalid', 'the build request is malformed or cut short');
}
