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
  const prefixOf = prefixer(options.timestamps, options.attributes);
  const header = options.framed ? FRAME_HEADER_BYTES : 0;
  return (lines) => {
    const prefixes = lines.map(prefixOf);
    let total = 0;
    for (const [at, { data }] of lines.entries()) total += header + (prefixes[at]?.length ?? 0) + data.length;
    const bytes = Buffer.allocUnsafe(total);
    let at = 0;
    for (const [index, { stream, data }] of lines.entries()) {
      const prefix = prefixes[index] ?? '';
      if (options.framed) writeFrameHeader(bytes, at, { stream, length: prefix.length + data.length });
      at += header;
      if (prefix !== '') at += bytes.write(prefix, at, 'latin1');
      bytes.set(data, at);
      at += data.length;
    }
    return bytes;
  };
}

/** ASCII: attributes come escaped. */
function prefixer(timestamps: boolean, attributes: string | undefined): (line: LogLine) => string {
  const stamp = fixedTimeFormatter();
  const fixed = attributes === undefined ? '' : `${attributes} `;
  return timestamps ? ({ timeNano }) => `${stamp(timeNano)} ${fixed}` : () => fixed;
}
