import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { ExpandOptions, Variables } from './expand-word.ts';
import { applyModifier, type ExpandedVariable, replaceMatches } from './modifiers.ts';
import { WordSplitter } from './word-splitter.ts';

type LexerOptions = ExpandOptions & { readonly maxLength: number };

/** How deep `${a:-${b:-…}}` may go. */
const MAX_DEPTH = 200;
/** Characters that mean nothing anywhere: taken in runs. */
const PLAIN = /[^$<'"\\`}/]+/y;
const NAME = /[\p{L}\p{Nd}_]+/uy;
const DIGITS = /\p{Nd}+/uy;
/** The shell's special parameters; a Dockerfile never sets one. */
const SPECIAL = '@*#?-$!0';

/** One pass over one word. Throws DockerfileErrors without a range, which `expandWord` puts into words. */
export class WordLexer {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #options: LexerOptions;
  #at = 0;
  #rawEscapes: boolean;
  #depth = 0;

  constructor(text: string, variables: Variables, options: LexerOptions) {
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
    this.#variables = variables;
    this.#options = options;
    this.#rawEscapes = options.rawEscapes ?? false;
  }

  expand(): string {
    return this.#readUntil('', new Output(this.#options.maxLength));
  }

  expandToWords(): string[] {
    const splitter = new WordSplitter();
    this.#readUntil('', new Output(this.#options.maxLength, splitter));
    return splitter.finish();
  }

  /** Up to `stop`, which is taken too, or with '' to the end of the text. */
  #readUntil(stop: string, out: Output): string {
    while (this.#at < this.#text.length) {
      const character = this.#peek();
      if (character === stop) {
        this.#at++;
        return out.text();
      }
      this.#readPiece(character, out);
    }
    if (stop === '') return out.text();
    throw new DockerfileError(`unexpected end of statement while looking for matching ${stop}`);
  }

  #readPiece(character: string, out: Output): void {
    const { escapeToken, skipQuotes } = this.#options;
    if (character === '$') out.add(this.#readDollar(), 'text');
    else if (character === '<') out.add(this.#readAngle(), 'protected');
    else if (character === "'" && !skipQuotes) out.add(this.#readSingleQuoted(), 'protected');
    else if (character === '"' && !skipQuotes) out.add(this.#readDoubleQuoted(), 'protected');
    else if (character === escapeToken) this.#readEscaped(out);
    else out.add(this.#take(PLAIN) || this.#next(), 'text');
  }

  #readEscaped(out: Output): void {
    const token = this.#next();
    if (this.#rawEscapes) out.add(token, 'protected');
    const escaped = this.#next();
    if (escaped !== '') out.add(escaped, 'protected');
  }

  /** Both angles and the blanks behind them stay in one word, so that `<< EOF` is a heredoc. */
  #readAngle(): string {
    return this.#take(/<<[\t\r ]*|</y);
  }

  #readSingleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) {
      this.#at = this.#text.length;
      throw new DockerfileError('unexpected end of statement while looking for matching single-quote');
    }
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return this.#options.rawQuotes ? `'${inner}'` : inner;
  }

  #readDoubleQuoted(): string {
    const out = new Output(this.#options.maxLength);
    const mark = this.#options.rawQuotes ? this.#peek() : '';
    this.#at++;
    out.add(mark, 'protected');
    while (this.#at < this.#text.length) {
      const character = this.#peek();
      if (character === '"') {
        this.#at++;
        out.add(mark, 'protected');
        return out.text();
      }
      if (character === '$') out.add(this.#readDollar(), 'protected');
      else if (character === this.#options.escapeToken) out.add(this.#readEscapedInQuotes(), 'protected');
      else out.add(this.#take(PLAIN) || this.#next(), 'protected');
    }
    throw new DockerfileError('unexpected end of statement while looking for matching double-quote');
  }

  /** In double quotes only the quote, `$` and the token itself can be escaped; before anything else the token stays. */
  #readEscapedInQuotes(): string {
    const token = this.#next();
    const kept = this.#rawEscapes ? token : '';
    if (this.#at >= this.#text.length) return kept;
    const next = this.#peek();
    const escapes = next === '"' || next === '$' || next === token;
    return kept + (escapes ? this.#next() : token);
  }

  #readDollar(): string {
    this.#at++;
    if (this.#peek() === '{') {
      if (this.#depth >= MAX_DEPTH) throw new DockerfileError(`more than ${MAX_DEPTH} nested substitutions`);
      this.#depth++;
      const value = this.#readBraces();
      this.#depth--;
      return value;
    }
    const name = this.#readName();
    if (name === '') return '$';
    const value = this.#lookUp(name);
    return value ?? (this.#options.skipUnset ? `$${name}` : '');
  }

  #readBraces(): string {
    this.#at++;
    const first = this.#peek();
    if (first === '') throw new DockerfileError("syntax error: missing '}'");
    if (first === '{' || first === '}' || first === ':') {
      throw new DockerfileError('syntax error: bad substitution');
    }
    const name = this.#readName();
    const operator = this.#next();
    if (operator === '}') {
      const value = this.#lookUp(name);
      return value ?? (this.#options.skipUnset ? `\${${name}}` : '');
    }
    if (operator === '/') return this.#readReplacement(name);
    if (operator === ':') return this.#readModified(name, operator + this.#next());
    if (operator !== '' && '+-?#%'.includes(operator)) return this.#readModified(name, operator);
    throw unsupported(operator);
  }

  #readModified(name: string, operator: string): string {
    const kind = operator.at(-1) ?? '';
    const isPattern = kind === '#' || kind === '%';
    if (isPattern && operator.length > 1) throw unsupported(operator);
    const word = this.#readOperand('}', isPattern, "syntax error: missing '}'");
    const variable: ExpandedVariable = { name, value: this.#lookUp(name) };
    if (this.#options.skipUnset && variable.value === undefined) return `\${${name}${operator}${word}}`;
    if (!'+-?#%'.includes(kind) || operator === ':') throw unsupported(operator);
    return applyModifier(variable, operator, word);
  }

  #readReplacement(name: string): string {
    const all = this.#peek() === '/';
    if (all) this.#at++;
    const pattern = this.#readOperand('/', true, "syntax error: missing '/' in ${}");
    const replacement = this.#readOperand('}', true, "syntax error: missing '}'");
    const value = this.#lookUp(name);
    if (this.#options.skipUnset && value === undefined) return `\${${name}/${pattern}/${replacement}}`;
    return replaceMatches(value ?? '', { pattern, replacement, all, maxLength: this.#options.maxLength });
  }

  #readOperand(stop: string, rawEscapes: boolean, missing: string): string {
    const outer = this.#rawEscapes;
    this.#rawEscapes = rawEscapes;
    try {
      return this.#readUntil(stop, new Output(this.#options.maxLength));
    } catch (error) {
      if (error instanceof DockerfileError && this.#at >= this.#text.length)
        throw new DockerfileError(missing);
      throw error;
    } finally {
      this.#rawEscapes = outer;
    }
  }

  #readName(): string {
    const digits = this.#take(DIGITS);
    if (digits !== '') return digits;
    const first = this.#peek();
    if (first !== '' && SPECIAL.includes(first)) return this.#next();
    return this.#take(NAME);
  }

  #lookUp(name: string): string | undefined {
    const value = this.#variables.get(name);
    this.#options.onLookUp?.(name, value !== undefined);
    return value;
  }

  /** The UTF-16 unit ahead, '' at the end. */
  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  /** The character ahead, taken; '' at the end. */
  #next(): string {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return '';
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }
}

/** Gathers text, bounded, and passes it on to who wants words. */
class Output {
  readonly #maxLength: number;
  readonly #splitter: WordSplitter | undefined;
  readonly #parts: string[] = [];
  #length = 0;

  constructor(maxLength: number, splitter?: WordSplitter) {
    this.#maxLength = maxLength;
    this.#splitter = splitter;
  }

  add(text: string, as: 'text' | 'protected'): void {
    this.#length += text.length;
    if (this.#length > this.#maxLength) {
      throw new DockerfileError(`the result is longer than ${this.#maxLength} characters`);
    }
    this.#parts.push(text);
    if (as === 'text') this.#splitter?.addText(text);
    else this.#splitter?.addProtected(text);
  }

  text(): string {
    return this.#parts.join('');
  }
}

function unsupported(operator: string): DockerfileError {
  return new DockerfileError(`unsupported modifier (${operator || '\ufffd'}) in substitution`);
}
