type Token =
  | 'star'
  | 'any'
  | { character: string }
  | { ranges: [low: string, high: string][]; negated: boolean };

/**
 * One part of a path with wildcards: `*`, `?`, `[a-z]`, `[!a-z]` or `[^a-z]`, and `\\` before a character that means itself. As in a shell, a leading dot has
 * to be written. Matching takes at most the product of the two lengths, whatever names a container makes.
 */
export class NamePattern {
  readonly #tokens: Token[] = [];

  constructor(text: string) {
    for (const token of text.match(/\\.|\*+|\[[!^]?\]?[^\]]*\]|[^]/gu) ?? [])
      this.#tokens.push(tokenOf(token));
  }

  /** The one name that fits; undefined where there are wildcards. */
  get literal(): string | undefined {
    const characters = this.#tokens.map((token) =>
      typeof token === 'object' && 'character' in token ? token.character : undefined,
    );
    return characters.includes(undefined) ? undefined : characters.join('');
  }

  matches(name: string): boolean {
    const first = this.#tokens[0];
    const saysDot = typeof first === 'object' && 'character' in first;
    if (name.startsWith('.') && !saysDot) return false;
    const characters = Array.from(name);
    let [token, at] = [0, 0];
    /** Where to go on when what follows the last star does not fit. */
    let retry: { token: number; at: number } | undefined;
    while (at < characters.length) {
      const wanted = this.#tokens[token];
      if (wanted === 'star') {
        retry = { token: token + 1, at };
        token++;
      } else if (wanted !== undefined && fits(wanted, characters[at] ?? '')) {
        token++;
        at++;
      } else if (retry !== undefined) {
        at = ++retry.at;
        token = retry.token;
      } else return false;
    }
    return this.#tokens.slice(token).every((rest) => rest === 'star');
  }
}

function tokenOf(text: string): Token {
  if (text.startsWith('*')) return 'star';
  if (text === '?') return 'any';
  if (text.length > 1 && text.startsWith('\\')) return { character: text.slice(1) };
  if (text.length < 3 || !text.startsWith('[')) return { character: text };
  const negated = text[1] === '!' || text[1] === '^';
  const inside = Array.from(text.slice(negated ? 2 : 1, -1));
  const ranges: [string, string][] = [];
  for (let at = 0; at < inside.length; at++) {
    const low = inside[at] ?? '';
    const isRange = inside[at + 1] === '-' && at + 2 < inside.length;
    ranges.push([low, isRange ? (inside[at + 2] ?? low) : low]);
    if (isRange) at += 2;
  }
  return { ranges, negated };
}

function fits(token: Exclude<Token, 'star'>, character: string): boolean {
  if (token === 'any') return true;
  if ('character' in token) return token.character === character;
  const code = character.codePointAt(0) ?? 0;
  const inside = token.ranges.some(
    ([low, high]) => (low.codePointAt(0) ?? 0) <= code && code <= (high.codePointAt(0) ?? 0),
  );
  return inside !== token.negated;
}
