import { createHash } from 'node:crypto';
import type { PortProtocol } from '../ruleset.ts';
import { ruleOf } from './port-rules.ts';
import { keyOf, type PortHolding } from './published-ports.ts';

/** A port of the host that several containers have: a chain of its own, in which the kernel picks one for each new connection. */
export interface SharedPort {
  family: 4 | 6;
  protocol: PortProtocol;
  /** Of the host; undefined: any. */
  hostAddress: string | undefined;
  hostPort: number;
  /** `10.0.0.2 . 80`: those that new connections go to. None: the helper's socket takes them, and ends them. */
  targets: string[];
}

/** The shared ports among these that the kernel can forward. */
export function sharedPortsOf(holdings: readonly PortHolding[]): SharedPort[] {
  const ports = new Map<string, SharedPort>();
  for (const holding of holdings) {
    const rule = holding.shared === true ? ruleOf(holding) : undefined;
    if (rule === undefined) continue;
    const { protocol, hostAddress, hostPort, address, port } = rule;
    const family = address.includes(':') ? 6 : 4;
    const shared = ports.get(keyOf(holding)) ?? { family, protocol, hostAddress, hostPort, targets: [] };
    if (holding.resting !== true) shared.targets.push(`${address} . ${port}`);
    ports.set(keyOf(holding), shared);
  }
  return [...ports.values()];
}

/** The map that leads to its chain, and its element there. */
export function sharedElement(port: SharedPort): { map: string; text: string } {
  const { map, key } = placeOf(port);
  return { map, text: `${key} : goto ${chainOf(port)}` };
}

/** One of a port, in the table's text. */
export function sharedChain(port: SharedPort): string {
  return `  chain ${chainOf(port)} {\n${port.targets.length === 0 ? '' : `    ${balance(port)}\n`}  }\n`;
}

/** What brings the table from what was to what is: either may be missing. */
export function sharedCommands(
  table: string,
  { before, after }: { before: SharedPort | undefined; after: SharedPort | undefined },
): string {
  if (after !== undefined) {
    const chain = `inet ${table} ${chainOf(after)}`;
    const rule = after.targets.length === 0 ? '' : `add rule ${chain} ${balance(after)}\n`;
    const { map, text } = sharedElement(after);
    return `add chain ${chain}\nflush chain ${chain}\n${rule}add element inet ${table} ${map} { ${text} }\n`;
  }
  if (before === undefined) return '';
  const { map, key } = placeOf(before);
  const chain = `inet ${table} ${chainOf(before)}`;
  return `delete element inet ${table} ${map} { ${key} }\nflush chain ${chain}\ndelete chain ${chain}\n`;
}

function balance({ family, protocol, targets }: SharedPort): string {
  const [nfproto, ip] = family === 4 ? ['ipv4', 'ip'] : ['ipv6', 'ip6'];
  const choices = targets.map((target, at) => `${at} : ${target}`).join(', ');
  return `meta nfproto ${nfproto} meta l4proto ${protocol} dnat ${ip} to numgen inc mod ${targets.length} map { ${choices} }`;
}

function placeOf({ family, protocol, hostAddress, hostPort }: SharedPort): { map: string; key: string } {
  const key = `${protocol} . ${hostPort}`;
  return hostAddress === undefined
    ? { map: `anyshared${family}`, key }
    : { map: `shared${family}`, key: `${hostAddress} . ${key}` };
}

/** An address has characters that no name of a chain may have. */
function chainOf({ family, protocol, hostAddress, hostPort }: SharedPort): string {
  const place =
    hostAddress === undefined ? 'any' : createHash('sha256').update(hostAddress).digest('hex').slice(0, 12);
  return `shared${family}_${protocol}_${hostPort}_${place}`;
}
