import { EngineError } from '../errors/engine-error.ts';
import { decodePath } from './path-bytes.ts';
import { cleanPath } from './pattern-matcher.ts';

/** Longest line of a `.dockerignore` in bytes; Docker's. */
const MAX_LINE_BYTES = 65_535;

/**
 * The patterns of a `.dockerignore`: lines that begin with `#` and blank ones dropped, a byte order mark dropped, the others trimmed,
 * cleaned and made relative (`/a` is `a`, `! /a` is `!a`).
 *
 * @throws EngineError "invalid" on a line that is too long.
 */
export function readIgnoreFile(source: Uint8Array | string): string[] {
  const bytes = typeof source === 'string' ? Buffer.from(source, 'utf8') : source;
  const patterns: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 ? bytes.length : newline;
    if (end - at > MAX_LINE_BYTES) throw new EngineError('invalid', 'bufio.Scanner: token too long');
    const line = decodePath(bytes.subarray(at, end));
    const pattern = patternOf(at === 0 && line.startsWith('\ufeff') ? line.slice(1) : line);
    if (pattern !== undefined) patterns.push(pattern);
    at = end + 1;
  }
  return patterns;
}

function patternOf(line: string): string | undefined {
  const trimmed = line.trim();
  if (line.startsWith('#') || trimmed === '') return undefined;
  const negated = trimmed.startsWith('!');
  const pattern = negated ? trimmed.slice(1).trim() : trimmed;
  if (pattern === '') return '!';
  const cleaned = cleanPath(pattern);
  const relative = cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
  return negated ? `!${relative}` : relative;
}
