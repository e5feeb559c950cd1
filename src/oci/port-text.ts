/** `80/tcp`, without a protocol TCP. */
export function parsePort(port: string): { containerPort: number; protocol: 'tcp' | 'udp' | 'sctp' } {
  const [number = '', name] = port.split('/');
  return {
    containerPort: Number.parseInt(number, 10),
    protocol: name === 'udp' || name === 'sctp' ? name : 'tcp',
  };
}

/** `80/tcp` of `80`, `80/` and `080/TCP`; undefined for what names no port. */
export function canonicalPort(port: string): string | undefined {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp)?)?$/i.exec(port);
  return match === null ? undefined : `${Number(match[1])}/${(match[2] ?? 'tcp').toLowerCase()}`;
}

/** An order: by number, then by protocol. */
export function byPort(one: string, other: string): number {
  const [left, right] = [parsePort(one), parsePort(other)];
  return left.containerPort - right.containerPort || (left.protocol < right.protocol ? -1 : 1);
}

/** `8080`, `8080-8090`; undefined: any, for '' and `0`. @throws RangeError in Docker's words on what is none. */
export function parseHostPorts(text: string): { from: number; to: number } | undefined {
  if (text === '' || text === '0') return undefined;
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const from = Number(match?.[1] ?? Number.NaN);
  const to = Number(match?.[2] ?? from);
  if (!(from <= to && to <= 65_535))
    throw new RangeError(`invalid port specification: ${JSON.stringify(text)}`);
  return from === 0 ? undefined : { from, to };
}
