import { isIP } from 'node:net';
import type { HostOptions } from '../../containers/container.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Json } from '../../wire/json.ts';
import { anything, type Decoder, Fields, listOf, string } from './go-json.ts';

type Bindings = HostOptions['portBindings'];

/** `{"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}`. @throws EngineError "invalid" in Docker's words. */
export function decodePortBindings(...[value, field]: Parameters<Decoder<Bindings>>): Bindings {
  const fields = anything(value, field);
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new EngineError(
      'invalid',
      `invalid JSON: json: cannot unmarshal value into Go struct field ${field} of type nat.PortMap`,
    );
  return Object.fromEntries(
    Object.entries(fields).flatMap(([port, bindings]) => {
      const decoded = bindings === null ? [] : listOf(decodeBinding)(bindings, field);
      return portsOf(port).map((one) => [one, decoded]);
    }),
  );
}

function decodeBinding(value: Json, field: string): Bindings[string][number] {
  const fields = new Fields(value, field, 'nat.PortBinding');
  const hostIp = fields.get('HostIp', string) ?? '';
  const hostPort = fields.get('HostPort', string) ?? '';
  if (hostIp !== '' && isIP(hostIp) === 0) throw new EngineError('invalid', `invalid IP address: ${hostIp}`);
  if (hostPort !== '' && rangeOf(hostPort) === undefined)
    throw new EngineError('invalid', `invalid port specification: ${JSON.stringify(hostPort)}`);
  return { hostIp, hostPort };
}

function portsOf(text: string): string[] {
  const [, range = '', protocol = 'tcp'] = /^(\d{1,5}(?:-\d{1,5})?)(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const found = rangeOf(range);
  if (found === undefined || found.from === 0)
    throw new EngineError('invalid', `invalid port specification: ${JSON.stringify(text)}`);
  const count = found.to - found.from + 1;
  return Array.from({ length: count }, (_, at) => `${found.from + at}/${protocol.toLowerCase()}`);
}

function rangeOf(text: string): { from: number; to: number } | undefined {
  const [, from = '', to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const range = { from: Number(from), to: Number(to) };
  return from !== '' && range.from <= range.to && range.to <= 65_535 ? range : undefined;
}
