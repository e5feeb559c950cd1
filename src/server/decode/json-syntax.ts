const LITERALS: Record<string, string> = { t: 'true', f: 'false', n: 'null' };
const CUT = 'unexpected EOF';

/**
 * What is wrong with a text that is no JSON, in the words of Go's decoder, which reads from the front and stops at the first mistake.
 *
 * Undefined: nothing is.
 */
export function jsonSyntaxError(text: string): string | undefined {
  const scan = new Scan(text);
  const mistake = scan.value();
  if (mistake !== undefined) return `invalid JSON: ${mistake}`;
  return scan.atEnd() ? undefined : 'unexpected content after JSON';
}

/** Its methods return the mistake they found; undefined where they have passed what they are for. */
class Scan {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** A value with all that is in it, without recursion: the text is a stranger's. */
  value(): string | undefined {
    const open: ('{' | '[')[] = [];
    for (;;) {
      const start = this.#next();
      if (start === '{' || start === '[') {
        this.#at++;
        if (this.#next() !== (start === '{' ? '}' : ']')) {
          open.push(start);
          const mistake = start === '{' ? this.#key() : undefined;
          if (mistake !== undefined) return mistake;
          continue;
        }
        this.#at++;
      } else {
        const mistake = this.#scalar(start);
        if (mistake !== undefined) return mistake;
      }
      const more = this.#close(open);
      if (more !== true) return more;
    }
  }

  atEnd(): boolean {
    return this.#next() === '';
  }

  /** Past the ends of what the value closes. True: another value follows. */
  #close(open: ('{' | '[')[]): string | true | undefined {
    for (;;) {
      const inside = open.at(-1);
      if (inside === undefined) return undefined;
      const end = this.#next();
      this.#at++;
      if (end === ',') return (inside === '{' ? this.#key() : undefined) ?? true;
      if (end !== (inside === '{' ? '}' : ']'))
        return unexpected(end, inside === '{' ? 'after object key:value pair' : 'after array element');
      open.pop();
    }
  }

  #key(): string | undefined {
    const start = this.#next();
    if (start !== '"') return unexpected(start, 'looking for beginning of object key string');
    const mistake = this.#string();
    if (mistake !== undefined) return mistake;
    const colon = this.#next();
    this.#at++;
    return colon === ':' ? undefined : unexpected(colon, 'after object key');
  }

  #scalar(start: string): string | undefined {
    if (start === '"') return this.#string();
    const literal = LITERALS[start];
    if (literal !== undefined) return this.#literal(literal);
    return /[-\d]/.test(start) ? this.#number() : unexpected(start, 'looking for beginning of value');
  }

  #string(): string | undefined {
    this.#at++;
    for (;;) {
      const unit = this.#character();
      if (unit === '"') {
        this.#at++;
        return undefined;
      }
      if (unit === '' || unit < ' ') return unexpected(unit, 'in string');
      const escape = unit === '\\' ? /^\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/.exec(this.#rest(6))?.[0] : unit;
      if (escape === undefined) return this.#badEscape();
      this.#at += escape.length;
    }
  }

  #badEscape(): string {
    const rest = this.#rest(6);
    const cut = rest[1] === 'u' ? /^\\u[\da-fA-F]{0,3}$/.test(rest) : rest.length < 2;
    return cut ? CUT : `invalid escape sequence \`${rest[1] === 'u' ? rest : rest.slice(0, 2)}\` in string`;
  }

  #literal(word: string): string | undefined {
    for (const expected of word) {
      const unit = this.#character();
      if (unit !== expected) return unexpected(unit, `in literal ${word} (expecting '${expected}')`);
      this.#at++;
    }
    return undefined;
  }

  #number(): string | undefined {
    const bad = () => unexpected(this.#character(), 'in numeric literal');
    this.#skip(/-/y);
    if (!this.#skip(/0|[1-9]\d*/y)) return bad();
    if (this.#skip(/\./y) && !this.#skip(/\d+/y)) return bad();
    if (this.#skip(/[eE][-+]?/y) && !this.#skip(/\d+/y)) return bad();
    return undefined;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found !== undefined;
  }

  /** The character at the next place that is no white space; empty at the end. */
  #next(): string {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
    return this.#character();
  }

  #character(): string {
    const point = this.#text.codePointAt(this.#at);
    return point === undefined ? '' : String.fromCodePoint(point);
  }

  #rest(length: number): string {
    return this.#text.slice(this.#at, this.#at + length);
  }
}

function unexpected(character: string, where: string): string {
  return character === '' ? CUT : `invalid character ${quoted(character)} ${where}`;
}

/** As Go prints a character. */
function quoted(character: string): string {
  if (character === "'" || character === '\\') return `'\\${character}'`;
  const named = { '\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r', '\v': 'v' }[character];
  if (named !== undefined) return `'\\${named}'`;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 || code === 0x7f ? `'\\x${code.toString(16).padStart(2, '0')}'` : `'${character}'`;
}
