import type { LogLine } from '../container-backend.ts';
import type { JournalRecord } from './log-line.ts';

/** How much of a line Docker hands on at once. */
const PART_BYTES = 16 << 10;
const NEWLINE = 0x0a;

interface OpenLine {
  timeNano: bigint;
  pieces: Uint8Array[];
  bytes: number;
}

/**
 * Makes of the monitor's records what clients know from Docker: whole lines, and those over 16 KiB in parts of that size. A record's border says
 * only how the monitor happened to read. All of a line has the time of its beginning.
 */
export class PartJoiner {
  readonly #open: Partial<Record<LogLine['stream'], OpenLine>> = {};

  /** Lines and parts that are complete with these records. */
  push(records: readonly JournalRecord[]): LogLine[] {
    const lines: LogLine[] = [];
    for (const record of records) {
      if (!record.partial && this.#open[record.stream] === undefined && record.data.length <= PART_BYTES)
        lines.push(record);
      else this.#add(record, lines);
    }
    return lines;
  }

  /** Whether every line that has begun has ended. */
  get isBetweenLines(): boolean {
    return this.#open.stdout === undefined && this.#open.stderr === undefined;
  }

  /** What has begun and not ended. */
  rest(): LogLine[] {
    return (['stdout', 'stderr'] as const).flatMap((stream) => {
      const line = this.#open[stream];
      delete this.#open[stream];
      if (line === undefined || line.bytes === 0) return [];
      return [{ stream, timeNano: line.timeNano, data: Buffer.concat(line.pieces) }];
    });
  }

  #add({ stream, timeNano, partial, data }: JournalRecord, lines: LogLine[]): void {
    const line = this.#open[stream] ?? { timeNano, pieces: [], bytes: 0 };
    this.#open[stream] = line;
    line.pieces.push(data);
    line.bytes += data.length;
    if (line.bytes > PART_BYTES) this.#cut(stream, line, lines);
    if (partial) return;
    lines.push({ stream, timeNano: line.timeNano, data: Buffer.concat(line.pieces) });
    delete this.#open[stream];
  }

  #cut(stream: LogLine['stream'], line: OpenLine, lines: LogLine[]): void {
    const text = Buffer.concat(line.pieces);
    // A newline at the end is no part of its own.
    const most = text.at(-1) === NEWLINE ? PART_BYTES + 1 : PART_BYTES;
    let start = 0;
    for (; text.length - start > most; start += PART_BYTES)
      lines.push({ stream, timeNano: line.timeNano, data: text.subarray(start, start + PART_BYTES) });
    line.pieces = [text.subarray(start)];
    line.bytes = text.length - start;
  }
}
