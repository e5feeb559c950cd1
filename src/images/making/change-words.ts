import { EngineError } from '../../errors/engine-error.ts';

/** Variables that an instruction may name: the image's ENV so far. */
export type Variables = ReadonlyMap<string, string>;

/** Variables that name themselves could double without end. */
const MAX_LENGTH = 1 << 20;
const NO_VARIABLES: Variables = new Map();

/**
 * Words of an instruction: split at blanks outside quotes, quotes and backslashes taken away (`A="b c" D=e\ f`), `$x`, `${x}`, `${x:-word}` and
 * `${x:+word}` replaced outside single quotes.
 */
export function words(text: string, variables: Variables = NO_VARIABLES): string[] {
  return new WordReader(text, variables).read((character) => /\s/.test(character));
}

/** The same for an argument that is one word, blanks and all. */
export function oneWord(text: string, variables: Variables): string {
  return new WordReader(text, variables).read(() => false).join('');
}

class WordReader {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #found: string[] = [];
  #at = 0;
  #quote = '';
  #length = 0;
  #word: string | undefined;

  constructor(text: string, variables: Variables) {
    this.#text = text;
    this.#variables = variables;
  }

  read(isBlank: (character: string) => boolean): string[] {
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at++] ?? '';
      if (this.#quote === '' && isBlank(character)) this.#end();
      else this.#take(character);
    }
    this.#end();
    return this.#found;
  }

  #take(character: string): void {
    if (character === this.#quote) this.#quote = '';
    else if (this.#quote === '' && (character === '"' || character === "'")) {
      this.#quote = character;
      this.#append('');
    } else if (character === '\\' && this.#quote !== "'" && this.#at < this.#text.length) this.#escape();
    else if (character === '$' && this.#quote !== "'") this.#append(this.#variable());
    else this.#append(character);
  }

  #escape(): void {
    const next = this.#text[this.#at++] ?? '';
    const keepsBackslash = this.#quote === '"' && next !== '"' && next !== '\\' && next !== '$';
    this.#append(keepsBackslash ? `\\${next}` : next);
  }

  /** After a `$`. What is no variable stands as it is. */
  #variable(): string {
    const rest = this.#text.slice(this.#at);
    const match = /^(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})/.exec(rest);
    if (match === null) return '$';
    this.#at += match[0].length;
    const value = this.#variables.get(match[1] ?? match[2] ?? '') ?? '';
    if (match[3] === '-') return value === '' ? (match[4] ?? '') : value;
    if (match[3] === '+') return value === '' ? '' : (match[4] ?? '');
    return value;
  }

  #append(text: string): void {
    this.#length += text.length;
    if (this.#length > MAX_LENGTH)
      throw new EngineError('invalid', `change is longer than ${MAX_LENGTH} characters`);
    this.#word = (this.#word ?? '') + text;
  }

  #end(): void {
    if (this.#word !== undefined) this.#found.push(this.#word);
    this.#word = undefined;
  }
}

/** undefined unless `text` is a JSON array of strings. */
export function jsonStrings(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}
