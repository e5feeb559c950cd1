import { decodePath } from '../../archive/path-bytes.ts';

/** Longest line in bytes, without its end; BuildKit's. */
export const MAX_LINE_BYTES = 65_535;
/** Largest Dockerfile in bytes: what a message of BuildKit's protocol carries. */
export const MAX_DOCKERFILE_BYTES = 16 * 1024 * 1024;

/** Hands out lines, ends included, decoded as `archive/path-bytes` does; only the line at hand is ever decoded. */
export class LineReader {
  readonly #bytes: Buffer;
  #offset = 0;
  #failure: string | undefined;
  /** Lines handed out so far: the number of the last one. */
  lineNumber = 0;

  constructor(source: Uint8Array | string) {
    const bytes = typeof source === 'string' ? Buffer.from(source, 'utf8') : source;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next line, or undefined at the end and from the first line on that is too long. */
  next(): string | undefined {
    if (this.#failure !== undefined || this.#offset >= this.#bytes.length) return undefined;
    const newline = this.#bytes.indexOf(0x0a, this.#offset);
    const end = newline < 0 ? this.#bytes.length : newline;
    if (end - this.#offset > MAX_LINE_BYTES) {
      this.#failure = `dockerfile line greater than max allowed size of ${MAX_LINE_BYTES}`;
      return undefined;
    }
    if (end > MAX_DOCKERFILE_BYTES) {
      this.#failure = `dockerfile greater than max allowed size of ${MAX_DOCKERFILE_BYTES}`;
      return undefined;
    }
    const line = decodePath(this.#bytes.subarray(this.#offset, newline < 0 ? end : end + 1));
    this.#offset = end + 1;
    this.lineNumber++;
    return line;
  }

  /** Why there are no more lines, where it isn't the end of the file. */
  get failure(): string | undefined {
    return this.#failure;
  }
}

/** Without the line end, however many carriage returns it has. */
export function trimLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === '\n' || line[end - 1] === '\r')) end--;
  return line.slice(0, end);
}
