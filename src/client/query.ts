export type QueryValue = string | number | bigint | boolean | readonly string[] | undefined;

/** `?a=1&b=x`, keys sorted as Go sorts them; undefined and empty lists are left out, booleans are `1` and `0`. */
export function encodeQuery(query: Record<string, QueryValue>): string {
  const parts: string[] = [];
  for (const key of Object.keys(query).sort()) {
    const value = query[key];
    if (value === undefined) continue;
    const values = Array.isArray(value) ? value : [value];
    for (const each of values)
      parts.push(`${escape(key)}=${escape(typeof each === 'boolean' ? (each ? '1' : '0') : String(each))}`);
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function escape(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, '+');
}

/** `filters` as the API takes them, `{"label":{"a=b":true}}`; undefined when there are none. */
export function encodeFilters(filters: Readonly<Record<string, readonly string[]>>): string | undefined {
  const names = Object.keys(filters)
    .filter((name) => (filters[name]?.length ?? 0) > 0)
    .sort();
  if (names.length === 0) return undefined;
  const sets = names.map((name) => [
    name,
    Object.fromEntries([...new Set(filters[name])].sort().map((value) => [value, true])),
  ]);
  return JSON.stringify(Object.fromEntries(sets));
}
