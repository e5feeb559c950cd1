import { familiarName, familiarRepository, type Reference } from './reference.ts';

/**
 * Whether a `reference=` filter names this image: the pattern is matched against the familiar name, then the repository alone.
 * `*`, `?`, `[a-z]`, `[^a]` and `\` as in Go's path.Match: none of them crosses a `/`. A malformed pattern matches nothing.
 */
export function matchesReference(pattern: string, reference: Reference): boolean {
  const expression = compile(pattern);
  if (expression === undefined) return false;
  return expression.test(familiarName(reference)) || expression.test(familiarRepository(reference));
}

/** Whether it is well-formed. */
export function isReferencePattern(pattern: string): boolean {
  return compile(pattern) !== undefined;
}

/** One character of a pattern, or a star. */
type Piece = RegExp | '*';

function compile(pattern: string): { test(text: string): boolean } | undefined {
  const pieces: Piece[] = [];
  let rest = pattern;
  while (rest !== '') {
    const piece = nextPiece(rest);
    if (piece === undefined) return undefined;
    try {
      pieces.push(piece.source === '*' ? '*' : new RegExp(`^${piece.source}$`, 's'));
    } catch {
      return undefined;
    }
    rest = rest.slice(piece.length);
  }
  return { test: (text) => isMatch(pieces, text) };
}

/** Going back to the last star alone, which is enough: time grows with both lengths, whatever a client asks for. */
function isMatch(pieces: readonly Piece[], text: string): boolean {
  let [piece, at] = [0, 0];
  let retry: { piece: number; at: number } | undefined;
  while (at < text.length || piece < pieces.length) {
    const wanted = pieces[piece];
    if (wanted === '*') {
      retry = { piece, at };
      piece++;
      continue;
    }
    if (wanted !== undefined && at < text.length && wanted.test(text[at] ?? '')) {
      piece++;
      at++;
      continue;
    }
    // The star takes one character more, but no slash.
    if (retry === undefined || retry.at >= text.length || text[retry.at] === '/') return false;
    retry.at++;
    piece = retry.piece + 1;
    at = retry.at;
  }
  return true;
}

function nextPiece(rest: string): { source: string; length: number } | undefined {
  const stars = /^\*+/.exec(rest)?.[0];
  if (stars !== undefined) return { source: '*', length: stars.length };
  if (rest.startsWith('?')) return { source: '[^/]', length: 1 };
  if (rest.startsWith('[')) return characterClass(rest);
  const escaped = rest.startsWith('\\');
  const character = escaped ? rest[1] : rest[0];
  if (character === undefined) return undefined;
  return { source: literal(character), length: escaped ? 2 : 1 };
}

function characterClass(rest: string): { source: string; length: number } | undefined {
  const match = /^\[(\^?)((?:\\.|[^\]\\])+)\]/s.exec(rest);
  if (match?.[2] === undefined) return undefined;
  const ranges = match[2].replace(/\\(.)|([[\]^&~|])/gs, (_, a?: string, b?: string) =>
    literal(a ?? b ?? ''),
  );
  return { source: `(?!/)[${match[1] ?? ''}${ranges}]`, length: match[0].length };
}

function literal(character: string): string {
  return /[a-zA-Z0-9_ ]/.test(character) ? character : `\\${character}`;
}
