import { isSpace } from '../parser/blank.ts';

const SPLIT = /([\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+)/;

/** Gathers text into words: space parts them, unless it came protected. */
export class WordSplitter {
  readonly #words: string[] = [];
  #parts: string[] = [];
  #inWord = false;

  /** Text that counts as it is, space included. Even empty it begins a word. */
  addProtected(text: string): void {
    if (text !== '') this.#parts.push(text);
    this.#inWord = true;
  }

  /** Text whose space ends words. */
  addText(text: string): void {
    for (const part of text.split(SPLIT)) {
      if (part === '') continue;
      if (!isSpace(part.charAt(0))) this.addProtected(part);
      else if (this.#inWord && this.#parts.length > 0) this.#endWord();
    }
  }

  /** The words so far; a word of nothing but empty quotes is none. */
  finish(): string[] {
    if (this.#parts.length > 0) this.#endWord();
    return this.#words;
  }

  #endWord(): void {
    this.#words.push(this.#parts.join(''));
    this.#parts = [];
    this.#inWord = false;
  }
}
