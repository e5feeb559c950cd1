import { statSync } from 'node:fs';
import { EngineError, messageOf } from '../../../errors/engine-error.ts';

export type SyslogFormat = '' | 'rfc3164' | 'rfc5424' | 'rfc5424micro';

export type SyslogAddress =
  | { kind: 'local' }
  /** A datagram socket where there is one, else a stream. */
  | { kind: 'unix' | 'unixgram'; path: string }
  | { kind: 'udp' | 'tcp' | 'tcp+tls'; host: string; port: number };

const FACILITIES =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp - - - - local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );
const DAEMON = 3;
const DEFAULT_PORT = 514;

export interface SyslogOptions {
  address: SyslogAddress;
  facility: number;
  format: SyslogFormat;
  tls: { caCert: string | undefined; cert: string | undefined; key: string | undefined; verify: boolean };
}

/** @throws EngineError "invalid", in Docker's words, also for a socket file that is not there. */
export function checkSyslogOptions(config: Readonly<Record<string, string>>): void {
  const { address } = parseSyslogOptions(config);
  if (address.kind !== 'unix' && address.kind !== 'unixgram') return;
  if (statSync(address.path, { throwIfNoEntry: false }) === undefined)
    throw invalid(`stat ${address.path}: no such file or directory`);
}

/** @throws EngineError "invalid", in Docker's words. */
export function parseSyslogOptions(config: Readonly<Record<string, string>>): SyslogOptions {
  return {
    address: parseAddress(config['syslog-address'] ?? ''),
    facility: parseFacility(config['syslog-facility'] ?? ''),
    format: parseFormat(config['syslog-format'] ?? ''),
    tls: {
      caCert: config['syslog-tls-ca-cert'],
      cert: config['syslog-tls-cert'],
      key: config['syslog-tls-key'],
      // As in Docker, that it is said is enough.
      verify: config['syslog-tls-skip-verify'] === undefined,
    },
  };
}

function parseAddress(text: string): SyslogAddress {
  if (text === '') return { kind: 'local' };
  const match = /^([a-z+]+):\/\/(.*)$/.exec(text);
  const [, kind = '', rest = ''] = match ?? [];
  switch (kind) {
    case 'unix':
    case 'unixgram':
      return { kind, path: rest };
    case 'udp':
    case 'tcp':
    case 'tcp+tls':
      return { kind, ...parseEndpoint(rest.replace(/\/.*$/, '')) };
    default:
      throw invalid(
        kind === ''
          ? `parse ${JSON.stringify(text)}: invalid URI for request`
          : `unsupported scheme: '${kind}'`,
      );
  }
}

function parseEndpoint(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(text);
  if (match === null) throw invalid(`address ${text}: too many colons in address`);
  const port = Number(match[3] || DEFAULT_PORT);
  if (port > 65_535) throw invalid(`address ${text}: invalid port`);
  return { host: match[1] ?? match[2] ?? '', port };
}

function parseFacility(text: string): number {
  if (text === '') return DAEMON;
  const named = text === '-' ? -1 : FACILITIES.indexOf(text);
  if (named >= 0) return named;
  if (/^\d+$/.test(text) && Number(text) <= 23) return Number(text);
  throw invalid('invalid syslog facility');
}

function parseFormat(text: string): SyslogFormat {
  if (text === '' || text === 'rfc3164' || text === 'rfc5424' || text === 'rfc5424micro') return text;
  throw invalid('Invalid syslog format');
}

/** What went wrong when a consumer was first looked for, as Docker says it. */
export function deliveryError(error: unknown): EngineError {
  return invalid(error instanceof EngineError ? error.message : messageOf(error));
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}
