/** Whether a component selects: `*`, `?` or `[` that no backslash stands before. */
export function hasWildcards(component: string): boolean {
  for (let at = 0; at < component.length; at++) {
    const character = component[at];
    if (character === '\\') at++;
    else if (character === '*' || character === '?' || character === '[') return true;
  }
  return false;
}

/** One name against one component of a pattern, as Go's `filepath.Match`; a malformed pattern matches nothing. */
export function matchName(pattern: string, name: string): boolean {
  const parts = parsePattern(pattern);
  return parts !== undefined && matchParts(parts, Array.from(name));
}

type Part = { kind: 'any' } | { kind: 'one'; matches: (character: string) => boolean };

function parsePattern(pattern: string): Part[] | undefined {
  const parts: Part[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    if (character === '*') parts.push({ kind: 'any' });
    else if (character === '?') parts.push({ kind: 'one', matches: () => true });
    else if (character === '[') {
      const parsed = parseClass(characters, at + 1);
      if (parsed === undefined) return undefined;
      parts.push({ kind: 'one', matches: parsed.matches });
      at = parsed.end;
    } else {
      const literal = character === '\\' ? characters[++at] : character;
      if (literal === undefined) return undefined;
      parts.push({ kind: 'one', matches: (other) => other === literal });
    }
  }
  return parts;
}

/** `[^a-z\]]`, from behind its bracket. */
function parseClass(
  characters: readonly string[],
  start: number,
): { matches: (character: string) => boolean; end: number } | undefined {
  const isNegated = characters[start] === '^';
  const ranges: { from: number; to: number }[] = [];
  let at = isNegated ? start + 1 : start;
  const literal = (): number | undefined => {
    const character = characters[at++];
    if (character === '-' || character === ']' || character === undefined) return undefined;
    return (character === '\\' ? characters[at++] : character)?.codePointAt(0);
  };
  while (characters[at] !== ']' || ranges.length === 0) {
    const from = literal();
    if (from === undefined) return undefined;
    let to: number | undefined = from;
    if (characters[at] === '-') {
      at++;
      to = literal();
    }
    if (to === undefined) return undefined;
    ranges.push({ from, to });
  }
  const isIn = (code: number): boolean => ranges.some(({ from, to }) => from <= code && code <= to);
  return { matches: (character) => isIn(character.codePointAt(0) ?? -1) !== isNegated, end: at };
}

/** Without backtracking further than the last star: linear in practice, quadratic at worst. */
function matchParts(parts: readonly Part[], name: readonly string[]): boolean {
  let [at, part] = [0, 0];
  let star: { at: number; part: number } | undefined;
  while (at < name.length) {
    const here = parts[part];
    if (here?.kind === 'any') star = { at, part: part++ };
    else if (here?.matches(name[at] ?? '') === true) {
      at++;
      part++;
    } else if (star === undefined) return false;
    else {
      at = ++star.at;
      part = star.part + 1;
    }
  }
  return parts.slice(part).every(({ kind }) => kind === 'any');
}
