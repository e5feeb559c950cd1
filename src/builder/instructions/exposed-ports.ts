import { isIP } from 'node:net';
import { quote } from '../../wire/quote.ts';
import { expandWords, type Variables } from '../expansion/expand-word.ts';
import { atRange, DockerfileError } from '../parser/dockerfile-error.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';
import type { ExposeInstruction } from './instruction.ts';

/** One word of EXPOSE, taken apart. */
export interface PortWord {
  readonly text: string;
  /** The ports of the range, with their protocol: `80/tcp`. */
  readonly ports: readonly string[];
  /** As it was written; `tcp` where nothing was. */
  readonly protocol: string;
  /** It names an address or a host port, which EXPOSE has no use for. */
  readonly hasHostPart: boolean;
}

/** More than every port of every protocol is a mistake. */
const MAX_PORTS = 3 * 65_536;

/** The words of an EXPOSE, one after the other, variables put in; one may hold several. @throws DockerfileError with its lines. */
export function* readExposedPorts(
  expose: ExposeInstruction,
  variables: Variables,
  escapeToken: EscapeToken,
): Generator<PortWord, void> {
  try {
    let left = MAX_PORTS;
    for (const word of expose.ports.flatMap((each) => expandWords(each, variables, { escapeToken }))) {
      const parsed = parsePortWord(word);
      left -= parsed.ports.length;
      if (left < 0) throw new DockerfileError(`EXPOSE names more than ${MAX_PORTS} ports`);
      yield parsed;
    }
  } catch (error) {
    throw atRange(error, expose.range);
  }
}

/** @throws DockerfileError without a range. */
function parsePortWord(text: string): PortWord {
  const { address, hostPort, containerPort } = splitParts(text);
  const [port, protocol = ''] = cut(containerPort, '/');
  if (port === '') throw new DockerfileError(`invalid port: ${quote(text)}: no port specified`);
  if (!['', 'tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) {
    throw new DockerfileError(`invalid port: ${quote(text)}: invalid proto: ${protocol}`);
  }
  checkAddress(address);
  const range = parseRange(port);
  if (range === undefined) throw new DockerfileError(`invalid containerPort: ${port}`);
  if (hostPort !== '') checkHostPort(hostPort, port, range);
  const suffix = `/${protocol === '' ? 'tcp' : protocol.toLowerCase()}`;
  return {
    text,
    ports: Array.from({ length: range.end - range.start + 1 }, (_each, at) => `${range.start + at}${suffix}`),
    protocol: protocol === '' ? 'tcp' : protocol,
    hasHostPart: address !== '' || hostPort !== '',
  };
}

function splitParts(text: string): { address: string; hostPort: string; containerPort: string } {
  const parts = text.split(':');
  const containerPort = parts.at(-1) ?? '';
  if (parts.length < 2) return { address: '', hostPort: '', containerPort };
  return { address: parts.slice(0, -2).join(':'), hostPort: parts.at(-2) ?? '', containerPort };
}

function checkAddress(address: string): void {
  if (address === '') return;
  const bare = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
  if (isIP(bare) === 0) throw new DockerfileError(`invalid IP address: ${bare}`);
}

interface Range {
  start: number;
  end: number;
}

function checkHostPort(hostPort: string, port: string, range: Range): void {
  const host = parseRange(hostPort);
  if (host === undefined) throw new DockerfileError(`invalid hostPort: ${hostPort}`);
  const length = range.end - range.start;
  // One container port may be published at any of a range of the host's.
  if (length === 0 || length === host.end - host.start) return;
  throw new DockerfileError(`invalid ranges specified for container and host Ports: ${port} and ${hostPort}`);
}

function parseRange(text: string): Range | undefined {
  const [from, to] = cut(text, '-');
  const start = parsePort(from);
  const end = to === undefined ? start : parsePort(to);
  return start === undefined || end === undefined || end < start ? undefined : { start, end };
}

function parsePort(text: string): number | undefined {
  if (!/^\+?\d{1,20}$/.test(text)) return undefined;
  const port = Number(text);
  return port > 65_535 ? undefined : port;
}

function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
