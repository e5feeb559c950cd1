import type { LogLine } from '../containers/container-backend.ts';
import { FRAME_HEADER_BYTES, writeFrameHeader } from '../wire/stream-frame.ts';
import { fixedTimeFormatter } from '../wire/time.ts';

/**
 * Log lines as they go out, many in one buffer: each in a frame of its own unless it goes raw, and what was asked for before it: its time,
 * then the attributes.
 */
export function linesRenderer(options: {
  framed: boolean;
  attributes: string | undefined;
  timestamps: boolean;
}): (lines: readonly LogLine[]) => Uint8Array {
  const { fixed, stamped } = prefixes(options.timestamps, options.attributes);
  const header = options.framed ? FRAME_HEADER_BYTES : 0;
  return (lines) => {
    const stamps = fixed === undefined ? lines.map(stamped) : undefined;
    let total = 0;
    for (let index = 0; index < lines.length; index++)
      total += header + (stamps?.[index] ?? fixed ?? '').length + (lines[index]?.data.length ?? 0);
    const bytes = Buffer.allocUnsafe(total);
    let at = 0;
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index];
      if (line === undefined) continue;
      const { stream, data } = line;
      const prefix = stamps?.[index] ?? fixed ?? '';
      if (options.framed) writeFrameHeader(bytes, at, { stream, length: prefix.length + data.length });
      at += header;
      if (prefix !== '') at += bytes.write(prefix, at, 'latin1');
      bytes.set(data, at);
      at += data.length;
    }
    return bytes;
  };
}

/** What stands before each line, or where lines differ in it, before one line. ASCII: attributes come escaped. */
function prefixes(
  timestamps: boolean,
  attributes: string | undefined,
): { fixed: string | undefined; stamped: (line: LogLine) => string } {
  const stamp = fixedTimeFormatter();
  const rest = attributes === undefined ? '' : `${attributes} `;
  return {
    fixed: timestamps ? undefined : rest,
    stamped: ({ timeNano }) => `${stamp(timeNano)} ${rest}`,
  };
}
