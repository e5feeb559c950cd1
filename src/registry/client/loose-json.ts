/** The fields of an object; none of anything else. */
export function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Why a text is no JSON, in Go's words. */
export function syntaxReason(text: string): string {
  const first = /^\s*([^\s{])/.exec(text)?.[1];
  if (first === undefined) return 'unexpected end of JSON input';
  return `invalid character '${first}' looking for beginning of value`;
}
