import type { LogLine } from '../../container-backend.ts';
import type { LogOrigin } from './log-consumer.ts';

const PRIORITY = { stdout: '6', stderr: '3' } as const;
const NEWLINE = 0x0a;

/**
 * A line in journald's native protocol: `NAME=value`, or where a value has a newline `NAME`, its length as 64 bits in little-endian, and the value.
 * Undefined: an empty line, which journald has no place for.
 */
export function journaldMessage(line: LogLine, origin: LogOrigin): Buffer | undefined {
  const isWhole = line.data.at(-1) === NEWLINE;
  const text = isWhole ? line.data.subarray(0, -1) : line.data;
  if (text.length === 0) return undefined;
  const fields: [string, string][] = [
    ['PRIORITY', PRIORITY[line.stream]],
    ['CONTAINER_ID', origin.containerId.slice(0, 12)],
    ['CONTAINER_ID_FULL', origin.containerId],
    ['CONTAINER_NAME', origin.containerName],
    ['CONTAINER_TAG', origin.tag],
    ['IMAGE_NAME', origin.imageName],
    ['SYSLOG_IDENTIFIER', origin.tag],
    ['SYSLOG_TIMESTAMP', stamp(line.timeNano)],
    ...(isWhole ? [] : [['CONTAINER_PARTIAL_MESSAGE', 'true'] as [string, string]]),
    ...[...origin.attributes].map(([name, value]): [string, string] => [fieldName(name), value]),
  ];
  return Buffer.concat([
    ...field('MESSAGE', text),
    ...fields.flatMap(([name, value]) => field(name, Buffer.from(value))),
  ]);
}

function field(name: string, value: Uint8Array): Uint8Array[] {
  const newline = Uint8Array.of(NEWLINE);
  if (!value.includes(NEWLINE)) return [Buffer.from(`${name}=`), value, newline];
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return [Buffer.from(`${name}\n`), length, value, newline];
}

/** What journald takes for a name: capitals, digits and underscores, none of these first. */
function fieldName(name: string): string {
  return name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^_+/, '');
}

function stamp(nano: bigint): string {
  const seconds = new Date(Number(nano / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(nano % 1_000_000_000n).padStart(9, '0')}Z`;
}
