/** Order of names as Docker's lists have it: digits compare as numbers and come before all else, other characters by their bytes. */
export function compareNatural(left: string, right: string): number {
  const lefts = partsOf(left);
  const rights = partsOf(right);
  for (const [at, a] of lefts.entries()) {
    const b = rights[at];
    if (b === undefined) return 1;
    const difference = comparePart(a, b);
    if (difference !== 0) return difference;
  }
  return lefts.length - rights.length;
}

function partsOf(text: string): string[] {
  return text.match(/\d+|\D/gu) ?? [];
}

function comparePart(a: string, b: string): number {
  const [aIsNumber, bIsNumber] = [/^\d/.test(a), /^\d/.test(b)];
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  if (!aIsNumber) return (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0);
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  if (x.length !== y.length) return x.length - y.length;
  if (x !== y) return x < y ? -1 : 1;
  return a.length - b.length;
}
