/** On a page: any text in its place, or, alone on a line, any number of lines. */
const ANYTHING = '…';
const ID = /\b(?:sha256:)?(?:[0-9a-f]{64}|[0-9a-f]{12})\b/g;
/** What differs from run to run and machine to machine, and the shape that must remain. Zero is not a size like others. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?: ?Z| ?[+-]\d{2}:?\d{2}(?: [A-Z]+)?)?/g, '<time>'],
  [
    /\b(?:Less than a second|About an? (?:minute|hour)|\d+ (?:second|minute|hour|day|week|month|year)s?)\b/g,
    '<while>',
  ],
  [/\b(?!0(?:\.0+)?[kMG]?B)\d+(?:\.\d+)?(?:B|kB|MB|GB)\b/g, '<size>'],
  [/ {2,}/g, ' '],
];

/**
 * Holds what was printed against what a page says, over all commands of the page: ids may be others than on the page, but where the page shows
 * one twice, the same one must be printed twice, short or whole.
 */
export class Comparison {
  readonly #printedFor = new Map<string, string>();
  readonly #pageFor = new Map<string, string>();

  /** What is wrong, or undefined. */
  difference(page: readonly string[], printed: readonly string[]): string | undefined {
    const end = this.#match(page, printed);
    return end === undefined
      ? undefined
      : `the page says\n${block(page)}\nprinted was\n${block(printed)}\nat: ${end}`;
  }

  #match(page: readonly string[], printed: readonly string[]): string | undefined {
    let at = 0;
    for (const [index, line] of page.entries()) {
      if (line.trim() === ANYTHING) {
        const next = page[index + 1];
        if (next === undefined) return undefined;
        while (at < printed.length && !this.#same(next, printed[at] ?? '')) at++;
        continue;
      }
      if (at >= printed.length) return `${line} (nothing more was printed)`;
      if (!this.#same(line, printed[at] ?? '')) return line;
      this.#learn(line, printed[at] ?? '');
      at++;
    }
    return at < printed.length ? `${printed[at]} (is not on the page)` : undefined;
  }

  #same(page: string, printed: string): boolean {
    const parts = shape(page).split(ANYTHING).map(escape);
    if (!new RegExp(`^${parts.join('.*')}$`, 'u').test(shape(printed))) return false;
    return page.includes(ANYTHING) || pairs(page, printed).every(([a, b]) => this.#agrees(a, b));
  }

  #agrees(page: string, printed: string): boolean {
    const known = this.#printedFor.get(page.slice(0, 12));
    const knownBack = this.#pageFor.get(printed.slice(0, 12));
    return known === undefined
      ? knownBack === undefined
      : known === printed.slice(0, 12) && page.length === printed.length;
  }

  #learn(page: string, printed: string): void {
    if (page.includes(ANYTHING)) return;
    for (const [from, to] of pairs(page, printed)) {
      this.#printedFor.set(from.slice(0, 12), to.slice(0, 12));
      this.#pageFor.set(to.slice(0, 12), from.slice(0, 12));
    }
  }
}

/** The ids of two lines of one shape, side by side, without their algorithm. */
function pairs(page: string, printed: string): [string, string][] {
  const right: string[] = printed.match(ID) ?? [];
  return (page.match(ID) ?? []).map((id, index) => [bare(id), bare(right[index] ?? '')]);
}

function bare(id: string): string {
  return id.replace('sha256:', '');
}

function shape(line: string): string {
  const ids = line.replace(ID, (id) => (id.startsWith('sha256:') ? 'sha256:<id>' : '<id>'));
  return SHAPES.reduce((text, [pattern, name]) => text.replace(pattern, name), ids).trim();
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function block(lines: readonly string[]): string {
  return lines.map((line) => `  | ${line}`).join('\n');
}
