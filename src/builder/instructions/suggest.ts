/** Words further away than this are no typos. */
const MAX_DISTANCE = 2;
/** Longer words are not compared: nobody meant one of ours. */
const MAX_LENGTH = 64;

/**
 * The option that `word` was probably meant to be: the nearest within two edits, the first of several. None for a word that is an
 * option itself. Where case doesn't matter the suggestion takes the word's.
 */
export function suggest(word: string, options: readonly string[], caseMatters = true): string | undefined {
  if (word.length > MAX_LENGTH) return undefined;
  const wanted = caseMatters ? word : word.toLowerCase();
  let best: string | undefined;
  let bestDistance = MAX_DISTANCE + 1;
  for (const option of options) {
    const candidate = caseMatters ? option : option.toLowerCase();
    if (candidate === wanted) return undefined;
    const distance = editDistance(wanted, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === undefined || caseMatters ? best : inCaseOf(word, best);
}

/** ` (did you mean x?)`, or nothing. */
export function didYouMean(word: string, options: readonly string[], caseMatters = true): string {
  const match = suggest(word, options, caseMatters);
  return match === undefined ? '' : ` (did you mean ${match}?)`;
}

function inCaseOf(word: string, match: string): string {
  if (word === word.toLowerCase()) return match.toLowerCase();
  return word === word.toUpperCase() ? match.toUpperCase() : match;
}

/** Levenshtein's: insertions, deletions and substitutions of characters. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_each, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
