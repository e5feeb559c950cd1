import { hostname } from 'node:os';
import type { LogLine } from '../../container-backend.ts';
import type { SyslogFormat, SyslogOptions } from './syslog-options.ts';

const SEVERITY = { stdout: 6, stderr: 3 } as const;
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const NEWLINE = 0x0a;

/**
 * A line as a message, with a newline at its end; bytes that are no UTF-8 stay as they are. Over TLS, RFC 5424's forms have their length before
 * them (RFC 5425).
 */
export function syslogMessage(line: LogLine, tag: string, options: SyslogOptions): Buffer {
  const { facility, format, address } = options;
  const priority = facility * 8 + SEVERITY[line.stream];
  const head = Buffer.from(
    headOf(format, { priority, tag, date: dateOf(line.timeNano), nano: line.timeNano }),
  );
  const newline = line.data.at(-1) === NEWLINE ? [] : [Uint8Array.of(NEWLINE)];
  const message = Buffer.concat([head, line.data, ...newline]);
  const isCounted = address.kind === 'tcp+tls' && format.startsWith('rfc5424');
  return isCounted ? Buffer.concat([Buffer.from(`${message.length} `), message]) : message;
}

interface HeadParts {
  priority: number;
  tag: string;
  date: Date;
  nano: bigint;
}

function headOf(format: SyslogFormat, { priority, tag, date, nano }: HeadParts): string {
  const { pid } = process;
  switch (format) {
    case '':
      return `<${priority}>${shortStamp(date)} ${tag}[${pid}]: `;
    case 'rfc3164':
      return `<${priority}>${shortStamp(date)} ${hostname()} ${tag}[${pid}]: `;
    case 'rfc5424':
      return `<${priority}>1 ${longStamp(date, '')} ${hostname()} ${tag} ${pid} ${tag} - `;
    case 'rfc5424micro': {
      const micro = String((nano / 1000n) % 1_000_000n).padStart(6, '0');
      return `<${priority}>1 ${longStamp(date, `.${micro}`)} ${hostname()} ${tag} ${pid} ${tag} - `;
    }
  }
}

function dateOf(nano: bigint): Date {
  return new Date(Number(nano / 1_000_000n));
}

/** `Nov 26 01:02:03`, local. */
function shortStamp(date: Date): string {
  const day = String(date.getDate()).padStart(2, ' ');
  return `${MONTHS[date.getMonth()]} ${day} ${clock(date)}`;
}

/** RFC 3339, local, with its zone. */
function longStamp(date: Date, fraction: string): string {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${clock(date)}${fraction}${zoneOf(date)}`;
}

function zoneOf(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function clock(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
