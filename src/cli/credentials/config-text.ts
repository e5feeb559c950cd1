import { EngineError } from '../../errors/engine-error.ts';
import { indentJson } from '../output/indent-json.ts';

/**
 * `text`, a JSON object, with the member at `path` set to `value` (JSON text), made with its parents where it is missing.
 * Everything else of a text of several lines stays as it is written: order, spaces, numbers, keys that nobody knows.
 *
 * @throws EngineError "invalid" when `text` or a parent is no JSON object.
 */
export function setMember(text: string, path: readonly string[], value: string): string {
  const laidOut = layOut(text.trim() === '' ? '{}' : text);
  return edit(laidOut, { at: laidOut.indexOf('{'), path, depth: 1 }, value);
}

/** `text` without the member at `path`; as it is when there is none. @throws EngineError as `setMember`. */
export function removeMember(text: string, path: readonly string[]): string {
  if (text.trim() === '') return text;
  const laidOut = layOut(text);
  return edit(laidOut, { at: laidOut.indexOf('{'), path, depth: 1 }, undefined);
}

/** A text of one line gets the layout that Docker gives to what it writes. @throws EngineError "invalid" when it is no JSON object. */
function layOut(text: string): string {
  const whole = text.trim();
  if (!whole.startsWith('{')) throw refusal('it is no JSON object');
  try {
    JSON.parse(whole);
  } catch {
    throw refusal('it is no JSON');
  }
  return whole.includes('\n') ? text : indentJson(whole, { indent: '\t' });
}

interface Place {
  /** Where the object's brace is. */
  at: number;
  path: readonly string[];
  depth: number;
}

function edit(text: string, { at, path, depth }: Place, value: string | undefined): string {
  const [name = '', ...rest] = path;
  const object = readObject(text, at);
  // Of members of one name the last counts.
  const member = object.members.findLast((each) => each.name === name);
  if (member === undefined)
    return value === undefined
      ? text
      : insert(text, object, { name, value: nest(rest, value, depth), depth });
  const current = text.slice(member.start, member.end);
  if (rest.length > 0 && current !== 'null') {
    if (!current.startsWith('{')) throw refusal(`${name} is no object`);
    return edit(text, { at: member.start, path: rest, depth: depth + 1 }, value);
  }
  if (value !== undefined)
    return text.slice(0, member.start) + nest(rest, value, depth) + text.slice(member.end);
  if (rest.length > 0) return text;
  return edit(cut(text, object, member), { at, path, depth }, undefined);
}

/** `value` inside the objects that `path` names. */
function nest(path: readonly string[], value: string, depth: number): string {
  const [name, ...rest] = path;
  const margin = '\t'.repeat(depth);
  if (name === undefined) return value.replaceAll('\n', `\n${margin}`);
  return `{\n${margin}\t${JSON.stringify(name)}: ${nest(rest, value, depth + 1)}\n${margin}}`;
}

interface Member {
  name: string;
  /** Where its key begins, its value begins and its value ends. */
  key: number;
  start: number;
  end: number;
}

interface ObjectSpan {
  open: number;
  close: number;
  members: Member[];
}

/** Before the first member whose name sorts behind it, as Docker sorts them. */
function insert(
  text: string,
  { open, close, members }: ObjectSpan,
  { name, value, depth }: { name: string; value: string; depth: number },
): string {
  const margin = `\n${'\t'.repeat(depth)}`;
  const added = `${JSON.stringify(name)}: ${value}`;
  const last = members.at(-1);
  if (last === undefined)
    return `${text.slice(0, open + 1)}${margin}${added}${margin.slice(0, -1)}${text.slice(close)}`;
  const next = members.find((each) => each.name > name);
  if (next === undefined) return `${text.slice(0, last.end)},${margin}${added}${text.slice(last.end)}`;
  return `${text.slice(0, next.key)}${added},${margin}${text.slice(next.key)}`;
}

/** Without that member and its comma. */
function cut(text: string, { open, close, members }: ObjectSpan, member: Member): string {
  if (members.length === 1) return `${text.slice(0, open + 1)}${text.slice(close)}`;
  const index = members.indexOf(member);
  const before = members[index - 1];
  const [from, to] =
    before === undefined ? [member.key, members[index + 1]?.key ?? member.end] : [before.end, member.end];
  return text.slice(0, from) + text.slice(to);
}

/** The members of the object whose brace is at `open`. `text` is known to be JSON. */
function readObject(text: string, open: number): ObjectSpan {
  const members: Member[] = [];
  let at = skipSpace(text, open + 1);
  while (text[at] !== '}') {
    const key = at;
    const keyEnd = skipValue(text, at);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = skipValue(text, start);
    members.push({ name: JSON.parse(text.slice(key, keyEnd)) as string, key, start, end });
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return { open, close: at, members };
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (/[ \t\r\n]/.test(text[at] ?? '')) at++;
  return at;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]+/y;

function skipValue(text: string, from: number): number {
  if (text[from] !== '{' && text[from] !== '[')
    return matchEnd(text[from] === '"' ? STRING : SCALAR, text, from);
  let depth = 0;
  for (let at = from; at < text.length; ) {
    const character = text[at];
    if (character === '"') {
      at = matchEnd(STRING, text, at);
      continue;
    }
    if (character === '{' || character === '[') depth++;
    if (character === '}' || character === ']') depth--;
    at++;
    if (depth === 0) return at;
  }
  return text.length;
}

function matchEnd(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : text.length;
}

function refusal(why: string): EngineError {
  return new EngineError('invalid', `Cannot change the client configuration: ${why}`);
}
