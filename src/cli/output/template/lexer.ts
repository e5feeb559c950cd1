import { TemplateError } from './template-error.ts';

export type TokenKind =
  | 'text'
  | 'left'
  | 'right'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'dot'
  | 'string'
  | 'number'
  | 'char'
  | 'pipe'
  | 'paren-open'
  | 'paren-close'
  | 'declare'
  | 'assign'
  | 'comma'
  | 'space'
  | 'end';

export interface Token {
  kind: TokenKind;
  text: string;
  /** Offset in the template. */
  at: number;
}

const WORD = /[\p{L}\p{N}_]/u;
const RULES: readonly [TokenKind, RegExp][] = [
  ['space', /[ \t\r\n]+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\.)+'/y],
  [
    'number',
    /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y,
  ],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['identifier', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['pipe', /\|/y],
  ['paren-open', /\(/y],
  ['paren-close', /\)/y],
  ['comma', /,/y],
  ['dot', /\./y],
];

/** Text and actions of a template as tokens; `{{-` and `-}}` have trimmed the text beside them, comments are gone. */
export function lex(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    const end = open < 0 ? source.length : open;
    const trimThis = open >= 0 && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4));
    pushText(tokens, { text: source.slice(at, end), at, trimNext, trimThis });
    if (open < 0) break;
    const start = open + (trimThis ? 3 : 2);
    const comment = /^[ \t\r\n]*\/\*/.exec(source.slice(start));
    const action = comment === null ? lexAction(source, open, start, tokens) : skipComment(source, start);
    at = action.at;
    trimNext = action.trimNext;
  }
  tokens.push({ kind: 'end', text: '', at: source.length });
  return tokens;
}

function pushText(
  tokens: Token[],
  { text, at, trimNext, trimThis }: { text: string; at: number; trimNext: boolean; trimThis: boolean },
): void {
  let kept = text;
  if (trimNext) kept = kept.replace(/^[ \t\r\n]+/, '');
  if (trimThis) kept = kept.replace(/[ \t\r\n]+$/, '');
  if (kept !== '') tokens.push({ kind: 'text', text: kept, at });
}

function skipComment(source: string, start: number): { at: number; trimNext: boolean } {
  const close = source.indexOf('*/', start);
  if (close < 0) throw parseError(source, start, 'unclosed comment');
  const end = /^([ \t\r\n]+-)?\}\}/.exec(source.slice(close + 2));
  if (end === null) throw parseError(source, start, 'comment ends before closing delimiter');
  return { at: close + 2 + end[0].length, trimNext: end[1] !== undefined };
}

function lexAction(
  source: string,
  open: number,
  start: number,
  tokens: Token[],
): { at: number; trimNext: boolean } {
  tokens.push({ kind: 'left', text: '{{', at: open });
  for (let at = start; ; ) {
    const trim = /^[ \t\r\n]+-\}\}/.exec(source.slice(at, at + 64));
    if (trim !== null || source.startsWith('}}', at)) {
      tokens.push({ kind: 'right', text: '}}', at });
      return { at: at + (trim?.[0].length ?? 2), trimNext: trim !== null };
    }
    if (at >= source.length) throw parseError(source, at, 'unclosed action');
    const token = nextToken(source, at);
    tokens.push(token);
    at += token.text.length;
  }
}

function nextToken(source: string, at: number): Token {
  for (const [kind, rule] of RULES) {
    rule.lastIndex = at;
    const text = rule.exec(source)?.[0];
    if (text === undefined) continue;
    if (kind === 'number' && WORD.test(source[at + text.length] ?? ''))
      throw parseError(source, at, `bad number syntax: ${JSON.stringify(text + source[at + text.length])}`);
    return { kind, text, at };
  }
  const character = source[at] ?? '';
  if (character === '"') throw parseError(source, at, 'unterminated quoted string');
  if (character === '`') throw parseError(source, at, 'unterminated raw quoted string');
  if (character === "'") throw parseError(source, at, 'unterminated character constant');
  if (character === '}') throw parseError(source, at, 'unexpected "}" in operand');
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  throw parseError(source, at, `unexpected bad character U+${code} '${character}' in command`);
}

/** `:<line>: <message>`, to be put behind the template's name. */
export function parseError(source: string, at: number, message: string): TemplateError {
  return new TemplateError('parse', `:${source.slice(0, at).split('\n').length}: ${message}`);
}
