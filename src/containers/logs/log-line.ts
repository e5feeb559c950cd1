import type { LogLine } from '../container-backend.ts';

/** One line of conmon's k8s-file format: `2026-11-23T10:00:00.123456789+00:00 stdout F text`; `P` marks a part without newline. */
export interface JournalRecord extends LogLine {
  partial: boolean;
}

const SPACE = 0x20;
const PARTIAL = 0x50;
/** `2026-11-23T10:00:00Z` */
const MIN_STAMP_CHARS = 20;
const MAX_STAMP_CHARS = 64;
/** `2026-11-23T10:00:00.123456789+00:00`, as conmon writes all of them. */
const USUAL_STAMP_CHARS = 35;
/** `stdout`, `stderr` */
const STREAM_CHARS = 6;
const OUT = Buffer.from('out');
const ERR = Buffer.from('err');

/**
 * Parse the line between `start` and its newline at `end`; the record's data is a view of `block`, a whole line's with its newline.
 * `undefined` for a damaged one (a power cut may leave half a line): it is passed over.
 */
export function parseJournalLine(block: Buffer, start: number, end: number): JournalRecord | undefined {
  const usual = start + USUAL_STAMP_CHARS;
  let afterTime = usual;
  let timeNano = block[usual] === SPACE && usual < end ? repeatedStamp(block, start) : undefined;
  if (timeNano === undefined) {
    afterTime = stampEnd(block, start, end);
    if (afterTime < 0) return undefined;
    timeNano = parseStamp(block.toString('latin1', start, afterTime));
    if (timeNano === undefined) return undefined;
  }
  const stream = streamName(block, afterTime + 1);
  const tag = afterTime + 1 + STREAM_CHARS + 1;
  if (stream === undefined || tag + 1 >= end || block[tag + 1] !== SPACE) return undefined;
  const partial = block[tag] === PARTIAL;
  const from = tag + 2;
  const data = new Uint8Array(block.buffer, block.byteOffset + from, (partial ? end : end + 1) - from);
  return { stream, timeNano, partial, data };
}

/** Only the time of a line, for searching. */
export function journalTime(block: Buffer, start = 0, end = block.length): bigint | undefined {
  const afterTime = stampEnd(block, start, end);
  return afterTime < 0 ? undefined : parseStamp(block.toString('latin1', start, afterTime));
}

function stampEnd(block: Buffer, start: number, end: number): number {
  const found = block.indexOf(SPACE, start);
  const length = found - start;
  return found >= end || length < MIN_STAMP_CHARS || length > MAX_STAMP_CHARS ? -1 : found;
}

/** `stdout ` or `stderr ` at that place. */
function streamName(block: Buffer, at: number): LogLine['stream'] | undefined {
  const isName = block[at] === 0x73 && block[at + 1] === 0x74 && block[at + 2] === 0x64;
  if (!isName || block[at + STREAM_CHARS] !== SPACE) return undefined;
  const rest = block[at + 3] === 0x6f ? OUT : ERR;
  for (let index = 0; index < rest.length; index++)
    if (block[at + 3 + index] !== rest[index]) return undefined;
  return rest === OUT ? 'stdout' : 'stderr';
}

/** The last one that was read: the monitor gives all lines that it has read at once the same. */
let lastStamp = '';
const lastBytes = new Uint8Array(USUAL_STAMP_CHARS);
let lastNano = 0n;
let lastSecond = '';
let lastSecondNano = 0n;

/** The time of a line that bears the same stamp as the one before it; compared from the end, where two stamps differ first. */
function repeatedStamp(block: Buffer, start: number): bigint | undefined {
  for (let at = USUAL_STAMP_CHARS - 1; at >= 0; at--)
    if (block[start + at] !== lastBytes[at]) return undefined;
  return lastNano;
}

/** `2026-11-23T10:00:00.123456789+00:00` in nanoseconds since 1970. */
function parseStamp(text: string): bigint | undefined {
  if (text === lastStamp) return lastNano;
  const second = text.slice(0, 19);
  const match = /^(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text.slice(19));
  if (match === null) return undefined;
  const [, fraction = '', zone = 'Z'] = match;
  const key = second + zone;
  if (key !== lastSecond) {
    const milliseconds = Date.parse(key);
    if (Number.isNaN(milliseconds)) return undefined;
    lastSecond = key;
    lastSecondNano = BigInt(milliseconds) * 1_000_000n;
  }
  lastNano = lastSecondNano + BigInt(Number(fraction.padEnd(9, '0')));
  lastStamp = text;
  for (let at = 0; at < USUAL_STAMP_CHARS; at++)
    lastBytes[at] = text.length === USUAL_STAMP_CHARS ? text.charCodeAt(at) : 0;
  return lastNano;
}
