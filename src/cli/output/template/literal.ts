const ESCAPES: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** The value of a Go literal; undefined when it is none. */
export function parseLiteral(
  kind: 'string' | 'number' | 'char',
  text: string,
): string | number | bigint | undefined {
  if (kind === 'number') return parseNumber(text);
  if (text.startsWith('`')) return text.slice(1, -1);
  const value = unescape(text.slice(1, -1));
  if (kind === 'string' || value === undefined) return value;
  const characters = Array.from(value);
  return characters.length === 1 ? BigInt(characters[0]?.codePointAt(0) ?? 0) : undefined;
}

function parseNumber(text: string): number | bigint | undefined {
  const clean = text.replaceAll('_', '');
  const integer = /^([+-]?)(0x[0-9a-f]+|0b[01]+|0o?[0-7]*|[1-9]\d*)$/i.exec(clean);
  if (integer !== null) {
    const value = BigInt((integer[2] ?? '').replace(/^0(?=[0-7])/, '0o'));
    return integer[1] === '-' ? -value : value;
  }
  const value = Number(clean);
  return Number.isNaN(value) ? undefined : value;
}

function unescape(text: string): string | undefined {
  let bad = false;
  const value = text.replace(
    /\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|.?)/gs,
    (...groups: (string | undefined)[]) => {
      const [, simple, hex, short, long, octal] = groups;
      if (simple !== undefined) return ESCAPES[simple] ?? '';
      const code = hex ?? short ?? long;
      const point = code === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(code, 16);
      if (Number.isNaN(point) || point > 0x10ffff) bad = true;
      return bad ? '' : String.fromCodePoint(point);
    },
  );
  return bad ? undefined : value;
}
