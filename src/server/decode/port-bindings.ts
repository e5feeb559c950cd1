import { isIP } from 'node:net';
import type { HostOptions } from '../../containers/container.ts';
import type { PortBindings } from '../../containers/ports/port-binding.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { parseHostPorts } from '../../oci/port-text.ts';
import { type Decoder, Fields, mapOf, string } from './go-json.ts';

type Binding = NonNullable<PortBindings[string]>[number];

/** `{"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}`; as in Docker the protocol may be missing (TCP) or odd (and is then no port's). */
export const portBindings: Decoder<PortBindings> = (value, field) => {
  const bindings = mapOf('nat.PortMap', (list, at) => (list === null ? null : listOfBindings(list, at)))(
    value,
    field,
  );
  for (const port of Object.keys(bindings)) {
    const number = port.split('/', 1)[0] ?? '';
    if (number !== '' && !(/^\d{1,5}$/.test(number) && Number(number) <= 65_535)) throw badPort(number);
  }
  return bindings;
};

const listOfBindings: Decoder<Binding[]> = (value, field) => {
  if (!Array.isArray(value))
    throw new EngineError(
      'invalid',
      `invalid JSON: json: cannot unmarshal value into Go struct field ${field} of type []nat.PortBinding`,
    );
  return value.map((one) => binding(one ?? {}, field));
};

const binding: Decoder<Binding> = (value, field) => {
  const fields = new Fields(value, field, 'nat.PortBinding');
  const hostIp = fields.get('HostIp', string) ?? '';
  const hostPort = fields.get('HostPort', string) ?? '';
  // Docker passes over such an address and publishes on all: nobody who named one wants that.
  if (hostIp !== '' && (isIP(hostIp) === 0 || hostIp.includes('%')))
    throw new EngineError('invalid', `invalid host IP address: ${JSON.stringify(hostIp)}`);
  try {
    parseHostPorts(hostPort);
  } catch {
    throw badPort(hostPort);
  }
  return { hostIp, hostPort };
};

function badPort(text: string): EngineError {
  return new EngineError('invalid', `invalid port specification: ${JSON.stringify(text)}`);
}

export function publishesPorts({ publishAllPorts, portBindings: bindings }: HostOptions): boolean {
  return publishAllPorts || Object.keys(bindings).length > 0;
}

/** What the answer to a creation says of them. */
export function portWarnings({ networkMode, portBindings: bindings }: HostOptions): string[] {
  return networkMode === 'host' && Object.keys(bindings).length > 0
    ? ['Published ports are discarded when using host network mode']
    : [];
}
