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

/**
 * Parse the line between `start` and its newline at `end`; the record's data is a view of `block`, a whole line's with its newline.
 * `undefined` for a damaged one (a power cut may leave half a line): it is passed over.
 */
export function parseJournalLine(block: Buffer, start: number, end: number): JournalRecord | undefined {
  const afterTime = stampEnd(block, start, end);
  const afterStream = afterTime < 0 ? -1 : block.indexOf(SPACE, afterTime + 1);
  const afterTag = afterStream + 2;
  if (afterStream < 0 || afterTag >= end || block[afterTag] !== SPACE) return undefined;
  const timeNano = parseStamp(block.toString('latin1', start, afterTime));
  const stream = streamName(block.toString('latin1', afterTime + 1, afterStream));
  if (timeNano === undefined || stream === undefined) return undefined;
  const partial = block[afterStream + 1] === PARTIAL;
  return { stream, timeNano, partial, data: block.subarray(afterTag + 1, partial ? end : end + 1) };
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

function streamName(text: string): LogLine['stream'] | undefined {
  return text === 'stdout' || text === 'stderr' ? text : undefined;
}

/** The last one that was read: the monitor gives all lines that it has read at once the same. */
let lastStamp = '';
let lastNano = 0n;
let lastSecond = '';
let lastSecondNano = 0n;

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
  return lastNano;
}
