import { EngineError } from '../../../../errors/engine-error.ts';
import { isIp } from './checks.ts';

export interface PortBinding {
  HostIp: string;
  HostPort: string;
}

export interface PortRequests {
  exposed: Record<string, Record<string, never>>;
  bindings: Record<string, PortBinding[]>;
}

interface Range {
  start: number;
  end: number;
}

/** `-p` in all its forms. @throws EngineError "invalid" in Docker's words. */
export function parsePublish(specs: readonly string[]): PortRequests {
  const requests: PortRequests = { exposed: {}, bindings: {} };
  for (const spec of specs) for (const each of expandLong(spec)) addSpec(requests, each);
  return requests;
}

/** `published=8080,target=80,protocol=tcp` is the long form of `8080:80/tcp`. */
function expandLong(spec: string): string[] {
  if (!/^\w+=/.test(spec)) return [spec];
  const fields = new Map<string, string>();
  for (const field of spec.split(',')) {
    const [key = '', value] = field.split('=', 2);
    if (value === undefined) throw invalid(`invalid field ${field}`);
    if (!['protocol', 'mode', 'target', 'published', 'app_protocol', 'name'].includes(key))
      throw invalid(`invalid field key ${key}`);
    fields.set(key, value);
  }
  const target = fields.get('target');
  if (target === undefined) throw invalid('missing mandatory field "target"');
  return [`${fields.get('published') ?? ''}:${target}/${fields.get('protocol') ?? 'tcp'}`.replace(/^:/, '')];
}

function addSpec(requests: PortRequests, spec: string): void {
  const { ip, host, container } = splitSpec(spec);
  const { port, protocol } = splitProtocol(container);
  if (ip !== '' && (!isIp(ip) || ip.includes('%'))) throw invalid(`Invalid ip address: ${ip}`);
  if (port === '') throw invalid(`No port specified: ${spec}<empty>`);
  const inside = parseRange(port) ?? fail(`Invalid containerPort: ${port}`);
  const outside = host === '' ? undefined : (parseRange(host) ?? fail(`Invalid hostPort: ${host}`));
  const count = inside.end - inside.start;
  if (outside !== undefined && outside.end - outside.start !== count && count !== 0)
    throw invalid(`Invalid ranges specified for container and host Ports: ${port} and ${host}`);
  if (!/^(?:tcp|udp|sctp)$/i.test(protocol)) throw invalid(`Invalid proto: ${protocol}`);
  for (let offset = 0; offset <= count; offset++) {
    const key = `${inside.start + offset}/${protocol.toLowerCase()}`;
    let hostPort = '';
    if (outside !== undefined) hostPort = String(outside.start + offset);
    if (outside !== undefined && count === 0 && outside.end > outside.start)
      hostPort = `${outside.start}-${outside.end}`;
    requests.exposed[key] = {};
    (requests.bindings[key] ??= []).push({ HostIp: ip, HostPort: hostPort });
  }
}

function splitSpec(spec: string): { ip: string; host: string; container: string } {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(spec);
  const [open] = /^\[[^\]]*(?=:[^:]*:[^:]*$)/.exec(spec) ?? [];
  if (bracketed === null && open !== undefined)
    throw invalid(`Invalid ip address ${open}: address ${open}:: missing ']' in address`);
  const [bare] = bracketed === null ? (/^.+:.*(?=:[^:]*:[^:]*$)/.exec(spec) ?? []) : [];
  if (bare !== undefined)
    throw invalid(`Invalid ip address ${bare}: address ${bare}:: too many colons in address`);
  const parts = (bracketed === null ? spec : (bracketed[2] ?? '')).split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  return { ip: bracketed?.[1] ?? parts.join(':'), host, container };
}

function splitProtocol(text: string): { port: string; protocol: string } {
  const at = text.indexOf('/');
  if (at < 0) return { port: text, protocol: 'tcp' };
  return { port: text.slice(0, at), protocol: text.slice(at + 1) || 'tcp' };
}

/** `80` or `80-90`; undefined when it is none. */
function parseRange(text: string): Range | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2] ?? match[1]);
  return start > 65535 || end > 65535 || end < start ? undefined : { start, end };
}

/** `--expose 80`, `7000-7001`, `53/udp`. @throws EngineError "invalid" in Docker's words. */
export function parseExpose(specs: readonly string[]): Record<string, Record<string, never>> {
  const exposed: Record<string, Record<string, never>> = {};
  for (const spec of specs) {
    if (spec.includes(':')) throw invalid(`invalid port format for --expose: ${spec}`);
    const { port, protocol } = splitProtocol(spec);
    const range = parseRange(port);
    if (range === undefined) {
      const parts = port.split('-');
      const wrong = parts.find((each) => !/^\d+$/.test(each));
      const large = parts.find((each) => Number(each) > 65535);
      const part = wrong ?? large ?? port;
      const reason =
        part === port && wrong === undefined && large === undefined
          ? `Invalid range specified for the Port: ${port}`
          : `strconv.ParseUint: parsing ${JSON.stringify(part)}: ${wrong === undefined ? 'value out of range' : 'invalid syntax'}`;
      throw invalid(`invalid range format for --expose: ${spec}, error: ${reason}`);
    }
    for (let at = range.start; at <= range.end; at++) exposed[`${at}/${protocol}`] = {};
  }
  return exposed;
}

function fail(message: string): never {
  throw invalid(message);
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}
