export interface Ulimit {
  Name: string;
  Hard: bigint;
  Soft: bigint;
}

const NAMES = new Set([
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]);

/** `nofile=1024:2048`, `core=-1`; or the reason why it is none. */
export function parseUlimit(text: string): Ulimit | string {
  const at = text.indexOf('=');
  if (at < 0) return `invalid ulimit argument: ${text}`;
  const name = text.slice(0, at);
  const values = text.slice(at + 1);
  if (!NAMES.has(name)) return `invalid ulimit type: ${name}`;
  const parts = values.split(':');
  if (parts.length > 2)
    return `too many limit value arguments - ${values}, can only have up to two, \`soft[:hard]\``;
  const numbers = parts.map((part) => (/^[+-]?\d+$/.test(part) ? BigInt(part) : undefined));
  const wrong = numbers.indexOf(undefined);
  if (wrong >= 0) return `strconv.ParseInt: parsing ${JSON.stringify(parts[wrong])}: invalid syntax`;
  const soft = numbers[0] ?? 0n;
  const hard = numbers[1] ?? soft;
  if (hard !== -1n && (soft === -1n || soft > hard))
    return `ulimit soft limit must be less than or equal to hard limit: ${soft === -1n ? 'soft: -1 (unlimited)' : `${soft} > ${hard}`}`;
  return { Name: name, Hard: hard, Soft: soft };
}
