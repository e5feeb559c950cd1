/** What Go's `unicode.IsSpace` calls space; JavaScript's `\s` has U+FEFF more and U+0085 less. */
const SPACES = '\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000';
const SPACE = new RegExp(`[${SPACES}]`);
const NOT_SPACE = new RegExp(`[^${SPACES}]`);
/** The blanks that separate words of a Dockerfile. */
const BLANKS = /[\t\v\f\r ]+/;

/** Whether the one character is space. */
export function isSpace(character: string): boolean {
  return SPACE.test(character);
}

/** Without the space at its start. */
export function trimStart(text: string): string {
  const start = text.search(NOT_SPACE);
  return start < 0 ? '' : text.slice(start);
}

/** Without the space at both ends. */
export function trimSpace(text: string): string {
  let end = text.length;
  while (end > 0 && SPACE.test(text.charAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}

/** Split at every run of blanks, as far as into `limit` words. */
export function splitBlanks(text: string, limit: number): string[] {
  return text.split(BLANKS, limit);
}

/** Split at the first run of blanks: `rest` is undefined where there is none. */
export function cutBlanks(text: string): { word: string; rest: string | undefined } {
  const match = BLANKS.exec(text);
  if (match === null) return { word: text, rest: undefined };
  return { word: text.slice(0, match.index), rest: text.slice(match.index + match[0].length) };
}
