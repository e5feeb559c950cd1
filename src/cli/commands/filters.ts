import { readConfigFile } from '../config-file.ts';
import type { CliContext } from '../context.ts';
import type { Flag } from '../flags/flag.ts';

/** `--filter`: refused unless it is `name=value`. */
export const FILTER_FLAG: Flag = {
  name: 'filter',
  short: 'f',
  kind: 'list',
  typeName: 'filter',
  usage: 'Show only what meets the condition (name=value)',
  check: checkFilter,
};

export const PRUNE_FLAGS: readonly Flag[] = [
  {
    name: 'filter',
    kind: 'list',
    typeName: 'filter',
    usage: 'Only what meets the condition ("until=<timestamp>")',
    check: checkFilter,
  },
  { name: 'force', short: 'f', kind: 'bool', usage: 'Do not ask' },
];

function checkFilter(value: string): string | undefined {
  if (value === '' || value.includes('=')) return undefined;
  return 'bad format of filter (expected name=value)';
}

/** `["label=a=b", "label=c"]` → `{ label: ["a=b", "c"] }`. */
export function parseFilters(values: readonly string[]): Record<string, string[]> {
  const filters: Record<string, string[]> = {};
  for (const value of values) {
    const at = value.indexOf('=');
    if (at < 0) continue;
    const name = value.slice(0, at).trim().toLowerCase();
    (filters[name] ??= []).push(value.slice(at + 1).trim());
  }
  return filters;
}

/** The filters of a prune: those given, and `pruneFilters` of the configuration unless they contradict. */
export async function pruneFilters(
  context: CliContext,
  values: readonly string[],
): Promise<Record<string, string[]>> {
  const filters = parseFilters(values);
  for (const filter of (await readConfigFile(context)).pruneFilters ?? []) {
    const at = filter.indexOf('=');
    if (at < 0) continue;
    const [name, value] = [filter.slice(0, at), filter.slice(at + 1)];
    const opposite = name === 'label' ? 'label!' : name === 'label!' ? 'label' : undefined;
    if (opposite !== undefined && filters[opposite]?.includes(value)) continue;
    (filters[name] ??= []).push(value);
  }
  return filters;
}
