import type { PortRule } from '../ruleset.ts';
import type { PortHolding } from './published-ports.ts';

/**
 * What the kernel can forward by itself: IPv4 to IPv4, and IPv6 to IPv6 but for the loopback address, of which it routes nothing.
 * Undefined: the helper's socket alone carries it.
 */
export function ruleOf(holding: PortHolding): PortRule | undefined {
  const { protocol, hostAddress, hostPort, target, containerPort } = holding;
  const container = { protocol, address: target, port: containerPort };
  if (holding.routed === true) return { ...container, hostAddress: undefined, hostPort: 0, way: 'routed' };
  if (hostAddress.includes(':') !== target.includes(':') || hostAddress === '::1') return undefined;
  const isAny = hostAddress === '0.0.0.0' || hostAddress === '::';
  return {
    ...container,
    hostAddress: isAny ? undefined : hostAddress,
    hostPort,
    way: holding.shared === true ? 'shared' : 'forwarded',
  };
}

interface Element {
  map: string;
  key: string;
  value: string | undefined;
}

/** Changes of the table's maps and sets, as nft commands. What those of `remaining` need, too, is not deleted. */
export function elementCommands(
  verb: 'add' | 'delete',
  table: string,
  rules: readonly PortRule[],
  remaining: readonly PortRule[] = [],
): string {
  const needed = new Set(remaining.flatMap(elementsOfRule).map(({ map, key }) => `${map} ${key}`));
  return [...grouped(rules)]
    .map(([map, elements]) => {
      const texts = elements
        .filter(({ key }) => !needed.has(`${map} ${key}`))
        .map(({ key, value }) => (verb === 'delete' || value === undefined ? key : `${key} : ${value}`));
      if (texts.length === 0) return '';
      return `${verb} element inet ${table} ${map} { ${[...new Set(texts)].join(', ')} }\n`;
    })
    .join('');
}

/** The same, as they stand in the table's text. */
export function elementsOf(rules: readonly PortRule[]): Map<string, string[]> {
  return new Map(
    [...grouped(rules)].map(([map, elements]) => [
      map,
      [...new Set(elements.map(({ key, value }) => (value === undefined ? key : `${key} : ${value}`)))],
    ]),
  );
}

function grouped(rules: readonly PortRule[]): Map<string, Element[]> {
  const groups = new Map<string, Element[]>();
  for (const element of rules.flatMap(elementsOfRule)) {
    const group = groups.get(element.map) ?? [];
    group.push(element);
    groups.set(element.map, group);
  }
  return groups;
}

/** One that forwards (a shared port has a chain for that); and one by which a container's own connections to it are told, which the helper carries. */
function elementsOfRule({ protocol, hostAddress, hostPort, address, port, way }: PortRule): Element[] {
  const family = address.includes(':') ? 6 : 4;
  if (way === 'routed')
    return [{ map: `routed${family}`, key: `${address} . ${protocol} . ${port}`, value: undefined }];
  const key = `${protocol} . ${hostPort}`;
  const value = `${address} . ${port}`;
  const forwarding =
    hostAddress === undefined
      ? { map: `anyports${family}`, key, value }
      : { map: `ports${family}`, key: `${hostAddress} . ${key}`, value };
  const owner = { map: `owners${family}`, key: `${address} . ${key}`, value: undefined };
  const loopback =
    hostAddress?.startsWith('127.') === true
      ? [{ map: 'loopback4', key: `${hostAddress} . ${key}`, value: undefined }]
      : [];
  return way === 'shared' ? [owner, ...loopback] : [forwarding, owner, ...loopback];
}
