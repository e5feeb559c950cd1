import type { LogLine } from '../container-backend.ts';

/** One line of conmon's k8s-file format: `2026-11-23T10:00:00.123456789+00:00 stdout F text`; `P` marks a part without newline. */
export interface JournalRecord extends LogLine {
  partial: boolean;
}

const SPACE = 0x20;
const PARTIAL = 0x50;
const NEWLINE = Uint8Array.of(0x0a);

/**
 * Parse a line without its newline. `undefined` for a damaged one (a power cut may leave half a line): it is passed over.
 */
export function parseJournalLine(line: Uint8Array): JournalRecord | undefined {
  const afterTime = line.indexOf(SPACE);
  const afterStream = line.indexOf(SPACE, afterTime + 1);
  const afterTag = afterStream + 2;
  if (afterTime < 20 || afterStream < 0 || line[afterTag] !== SPACE) return undefined;
  const timeNano = parseTime(ascii(line, 0, afterTime));
  const stream = ascii(line, afterTime + 1, afterStream);
  if (timeNano === undefined || (stream !== 'stdout' && stream !== 'stderr')) return undefined;
  const partial = line[afterStream + 1] === PARTIAL;
  const text = line.subarray(afterTag + 1);
  return { stream, timeNano, partial, data: partial ? text : Buffer.concat([text, NEWLINE]) };
}

/** Only the time of a line, for searching. */
export function journalTime(line: Uint8Array): bigint | undefined {
  const end = line.indexOf(SPACE);
  return end < 20 ? undefined : parseTime(ascii(line, 0, end));
}

let lastSecond = '';
let lastSecondNano = 0n;

/** `2026-11-23T10:00:00.123456789+00:00` in nanoseconds since 1970. */
function parseTime(text: string): bigint | undefined {
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
  return lastSecondNano + BigInt(fraction.padEnd(9, '0'));
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
