import { trimSpace, trimStart } from './blank.ts';
import { DockerfileError } from './dockerfile-error.ts';
import { LineReader, trimLineEnd } from './line-reader.ts';
import type { Directive, EscapeToken } from './parsed-dockerfile.ts';
import { sourceRange } from './source-range.ts';

/** Reads `# name=value` lines; the first line that is none ends them for good. */
export class DirectiveReader {
  readonly #prefix: string;
  readonly #seen = new Set<string>();
  #line: number;
  #done = false;

  /** `prefix` is what makes a line a comment; `line` counts lines that were taken off before. */
  constructor(prefix = '#', line = 0) {
    this.#prefix = prefix;
    this.#line = line;
  }

  /** @throws DockerfileError on a directive that was there already. */
  read(line: string): Directive | undefined {
    this.#line++;
    if (this.#done) return undefined;
    const found = line.startsWith(this.#prefix) ? nameAndValue(line.slice(this.#prefix.length)) : undefined;
    if (found === undefined) {
      this.#done = true;
      return undefined;
    }
    const range = sourceRange(this.#line);
    if (this.#seen.has(found.name)) {
      throw new DockerfileError(`only one ${found.name} parser directive can be used`, range);
    }
    this.#seen.add(found.name);
    return { ...found, range };
  }

  get done(): boolean {
    return this.#done;
  }
}

/** The escape token of an `escape` directive. @throws DockerfileError */
export function escapeTokenOf(directive: Directive): EscapeToken {
  if (directive.value === '\\' || directive.value === '`') return directive.value;
  const message = `invalid escape token '${directive.value}' does not match \` or \\`;
  throw new DockerfileError(message, directive.range);
}

/**
 * The directive `name` of a file that need not be a Dockerfile, and that may start with a byte order mark and a `#!` line.
 * `syntax` is looked for in the two other forms too that BuildKit knows: `// syntax=…` and a JSON object with that key.
 */
export function findDirective(name: Directive['name'], source: Uint8Array | string): Directive | undefined {
  const marked = findMarked(name, source, '#');
  if (marked !== undefined || name !== 'syntax') return marked;
  return findMarked(name, source, '//') ?? findInJson(name, source);
}

function findMarked(name: string, source: Uint8Array | string, prefix: string): Directive | undefined {
  const lines = new LineReader(source);
  let line = withoutMark(lines.next() ?? '');
  const shebang = line.startsWith('#!');
  if (shebang) line = lines.next() ?? '';
  const reader = new DirectiveReader(prefix, shebang ? 1 : 0);
  try {
    for (let at: string | undefined = line; at !== undefined && !reader.done; at = lines.next()) {
      const directive = reader.read(trimLineEnd(at));
      if (directive?.name === name) return directive;
    }
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
  }
  return undefined;
}

const MAX_JSON_BYTES = 1024 * 1024;

function findInJson(name: Directive['name'], source: Uint8Array | string): Directive | undefined {
  if (source.length > MAX_JSON_BYTES) return undefined;
  const text = withoutMark(typeof source === 'string' ? source : Buffer.from(source).toString('utf8'));
  if (!trimStart(text).startsWith('{')) return undefined;
  try {
    const value: unknown = (JSON.parse(text) as Record<string, unknown>)[name];
    return typeof value === 'string' ? { name, value, range: sourceRange(1) } : undefined;
  } catch {
    return undefined;
  }
}

/** Without a byte order mark. */
export function withoutMark(line: string): string {
  return line.startsWith('\ufeff') ? line.slice(1) : line;
}

function nameAndValue(comment: string): Pick<Directive, 'name' | 'value'> | undefined {
  const match = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=([^]*)$/.exec(trimStart(comment));
  const name = match?.[1]?.toLowerCase();
  const value = trimSpace(match?.[2] ?? '');
  if (value === '' || (name !== 'syntax' && name !== 'escape' && name !== 'check')) return undefined;
  return { name, value };
}
