const MAX_DISTANCE = 2;

/** The candidates that `word` is probably meant to be: those within two edits, and those that it begins. */
export function suggest(word: string, candidates: readonly string[]): string[] {
  const lower = word.toLowerCase();
  return candidates
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate) }))
    .filter(
      ({ candidate, distance }) =>
        distance <= (word.length > 3 || sameLetters(lower, candidate) ? MAX_DISTANCE : 1) ||
        (word.length > 2 && candidate.startsWith(lower)),
    )
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

function sameLetters(left: string, right: string): boolean {
  return Array.from(left).sort().join('') === Array.from(right).sort().join('');
}

/** Insertions, deletions, replacements, and neighbours swapped, each counting one. */
export function editDistance(left: string, right: string): number {
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, index) => index)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1])
        best = Math.min(best, at(i - 2, j - 2) + 1);
      row.push(best);
    }
  }
  return at(left.length, right.length);
}
