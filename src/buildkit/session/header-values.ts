/** What is said in headers of a call: ASCII as it is, all values of a name escaped where one is not. */
export function headerValues(values: Readonly<Record<string, readonly string[]>>): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const [name, list] of Object.entries(values)) {
    if (list.length === 0) continue;
    const isPlain = list.every((text) => /^[\t\x20-\x7e]*$/.test(text));
    headers[name] = isPlain ? [...list] : list.map(queryEscaped);
    if (!isPlain) headers[`${name}-encoded`] = ['1'];
  }
  return headers;
}

/** As Go's `url.QueryEscape`. */
function queryEscaped(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
