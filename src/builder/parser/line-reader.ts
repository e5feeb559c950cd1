import { decodePath, encodePath } from '../../archive/path-bytes.ts';

/** Longest line in bytes, without its end; BuildKit's. */
export const MAX_LINE_BYTES = 65_535;
/** Largest Dockerfile in bytes: what a message of BuildKit's protocol carries. */
export const MAX_DOCKERFILE_BYTES = 16 * 1024 * 1024;

/** Hands out lines, ends included, decoded as `archive/path-bytes` does. */
export class LineReader {
  readonly #text: string;
  readonly #isWhole: boolean;
  #offset = 0;
  #failure: string | undefined;
  /** Lines handed out so far: the number of the last one. */
  lineNumber = 0;

  constructor(source: Uint8Array | string) {
    const bytes = typeof source === 'string' ? Buffer.from(source, 'utf8') : source;
    this.#isWhole = bytes.length <= MAX_DOCKERFILE_BYTES;
    this.#text = decodePath(bytes.subarray(0, MAX_DOCKERFILE_BYTES));
  }

  /** The next line, or undefined at the end and from the first line on that is too long. */
  next(): string | undefined {
    if (this.#failure !== undefined) return undefined;
    const newline = this.#text.indexOf('\n', this.#offset);
    const end = newline < 0 ? this.#text.length : newline;
    const line = this.#text.slice(this.#offset, end + 1);
    if (isTooLong(line)) return this.#fail('line', MAX_LINE_BYTES);
    if (newline < 0 && !this.#isWhole) return this.#fail('file', MAX_DOCKERFILE_BYTES);
    if (line === '') return undefined;
    this.#offset = end + 1;
    this.lineNumber++;
    return line;
  }

  #fail(what: 'line' | 'file', limit: number): undefined {
    const noun = what === 'line' ? 'dockerfile line' : 'dockerfile';
    this.#failure = `${noun} greater than max allowed size of ${limit}`;
    return undefined;
  }

  /** Why there are no more lines, where it isn't the end of the file. */
  get failure(): string | undefined {
    return this.#failure;
  }
}

/** A UTF-16 unit is one to three bytes: most lines need no counting. */
function isTooLong(line: string): boolean {
  if (line.length * 3 <= MAX_LINE_BYTES) return false;
  return line.length > MAX_LINE_BYTES + 1 || encodePath(trimOneNewline(line)).length > MAX_LINE_BYTES;
}

function trimOneNewline(line: string): string {
  return line.endsWith('\n') ? line.slice(0, -1) : line;
}

/** Without the line end, however many carriage returns it has. */
export function trimLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === '\n' || line[end - 1] === '\r')) end--;
  return line.slice(0, end);
}
