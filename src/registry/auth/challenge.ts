/** One challenge of a WWW-Authenticate header (RFC 9110, 11.6.1); scheme and parameter names in lower case. */
export interface Challenge {
  scheme: string;
  parameters: Record<string, string>;
}

const MAX_HEADER = 8192;
const SCHEME = /[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:[ \t]+|(?=,)|$)/y;
const PARAMETER = /[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;

/** What cannot be read ends the list: what stands before it still counts. */
export function parseChallenges(header: string | null): Challenge[] {
  const text = (header ?? '').slice(0, MAX_HEADER);
  const challenges: Challenge[] = [];
  let position = 0;
  while (position < text.length) {
    SCHEME.lastIndex = position;
    const scheme = SCHEME.exec(text);
    if (scheme?.[1] === undefined) break;
    const read = readParameters(text, SCHEME.lastIndex);
    challenges.push({ scheme: scheme[1].toLowerCase(), parameters: read.parameters });
    position = read.end;
  }
  return challenges;
}

function readParameters(text: string, start: number): { parameters: Record<string, string>; end: number } {
  const parameters: Record<string, string> = Object.create(null);
  let end = start;
  for (;;) {
    PARAMETER.lastIndex = end;
    const match = PARAMETER.exec(text);
    if (match?.[1] === undefined) return { parameters, end };
    parameters[match[1].toLowerCase()] = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '';
    end = PARAMETER.lastIndex;
  }
}
