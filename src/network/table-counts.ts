/** How much of each there is in a table. */
export interface TableCounts {
  chains: number;
  rules: number;
  elements: number;
}

/** Of our own text (see `ruleset`): a rule a line, as deep as nothing else but types and elements. */
export function textCounts(text: string): TableCounts {
  const lines = text.split('\n');
  const inner = lines.filter((line) => /^ {4}\S/.test(line) && !line.startsWith('    type '));
  const elements = inner.filter((line) => line.startsWith('    elements = '));
  return {
    chains: lines.filter((line) => line.startsWith('  chain ')).length,
    rules: inner.length - elements.length,
    elements: elements.reduce((count, line) => count + line.split(', ').length, 0),
  };
}

/** Of what `nft -j list table` prints; none of what can't be read. */
export function listedCounts(json: string): TableCounts {
  const counts = { chains: 0, rules: 0, elements: 0 };
  for (const entry of entriesOf(json)) {
    if ('chain' in entry) counts.chains++;
    if ('rule' in entry) counts.rules++;
    const set = entry['set'] ?? entry['map'];
    const elements = typeof set === 'object' && set !== null && 'elem' in set ? set.elem : undefined;
    if (Array.isArray(elements)) counts.elements += elements.length;
  }
  return counts;
}

function entriesOf(json: string): Record<string, unknown>[] {
  try {
    const { nftables } = JSON.parse(json) as { nftables?: Record<string, unknown>[] };
    return nftables ?? [];
  } catch {
    return [];
  }
}
