const NAMED: Record<string, string> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};
/** What Go's `unicode.IsPrint` refuses, quote and backslash beside it. */
const ESCAPED = /["\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** Most texts; their look-up in Unicode's tables is spared. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Go's `strconv.Quote`, `%q`. A lone surrogate stands for a byte that isn't UTF-8 (`archive/path-bytes`), and is written as that. */
export function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return `"${text.replace(ESCAPED, escapeOne)}"`;
}

function escapeOne(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${hex(code, 2)}`;
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${hex(code - 0xdc00, 2)}`;
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
