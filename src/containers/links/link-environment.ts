import { byPort, parsePort } from '../../oci/port-text.ts';

/** What the environment tells of a linked container. */
export interface LinkedContainer {
  /** As it is called here. */
  alias: string;
  /** Of the one that has the link. */
  ownName: string;
  address: string;
  /** `80/tcp` */
  exposedPorts: readonly string[];
  env: readonly string[];
}

interface Port {
  number: number;
  protocol: string;
  url: string;
}

/** Of its image or made by the engine: nothing that another container could use. */
const NOT_TOLD = new Set(['HOME', 'PATH']);

/** Docker's variables for a link, in its order: name, ports with their ranges, environment. */
export function linkEnvironment(linked: LinkedContainer): string[] {
  const prefix = linked.alias.toUpperCase().replaceAll('-', '_');
  const ports = portsOf(linked);
  const [first] = ports;
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${first.url}`]),
    ...rangesOf(ports).flatMap((range) => rangeVariables(prefix, range, linked.address)),
    `${prefix}_NAME=/${linked.ownName}/${linked.alias}`,
    ...linked.env
      .filter((text) => text.includes('=') && !NOT_TOLD.has(text.split('=', 1)[0] ?? ''))
      .map((text) => `${prefix}_ENV_${text}`),
  ];
}

/** TCP before all else. */
function portsOf({ exposedPorts, address }: LinkedContainer): Port[] {
  const isTcp = (port: string) => Number(parsePort(port).protocol === 'tcp');
  return exposedPorts
    .toSorted((one, other) => isTcp(other) - isTcp(one) || byPort(one, other))
    .map((port) => {
      const { containerPort: number, protocol } = parsePort(port);
      return { number, protocol, url: `${protocol}://${address}:${number}` };
    });
}

function rangesOf(ports: readonly Port[]): Port[][] {
  const ranges: Port[][] = [];
  for (const port of ports) {
    const range = ranges.at(-1);
    const last = range?.at(-1);
    if (last?.protocol === port.protocol && last.number + 1 === port.number) range?.push(port);
    else ranges.push([port]);
  }
  return ranges;
}

function rangeVariables(prefix: string, range: readonly Port[], address: string): string[] {
  const [first, last] = [range[0], range.at(-1)];
  const nameOf = ({ number, protocol }: Port) => `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
  const ends =
    first === undefined || last === undefined || first === last
      ? []
      : [
          `${nameOf(first)}_START=${first.url}`,
          `${nameOf(first)}_PORT_START=${first.number}`,
          `${nameOf(first)}_END=${last.url}`,
          `${nameOf(first)}_PORT_END=${last.number}`,
        ];
  const each = range.flatMap((port) => [
    `${nameOf(port)}=${port.url}`,
    `${nameOf(port)}_ADDR=${address}`,
    `${nameOf(port)}_PORT=${port.number}`,
    `${nameOf(port)}_PROTO=${port.protocol}`,
  ]);
  return [...ends, ...each];
}
