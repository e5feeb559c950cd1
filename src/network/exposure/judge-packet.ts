import { type ForeignChain, type ForeignRules, recordOf } from './foreign-rules.ts';

/** The first packet of a connection, as a filter sees it. What is undefined isn't known. */
export interface Packet {
  hook: 'forward' | 'input' | 'output';
  family: 4 | 6;
  protocol: string;
  incoming: string | undefined;
  outgoing: string | undefined;
  destination: string;
  port: number;
  /** It was sent to another address, of which a rule made this one. */
  translated: boolean;
}

export interface Judgement {
  verdict: 'accept' | 'drop' | 'maybe';
  /** Who says so: `chain ip filter FORWARD drops by policy`; '' for nobody. */
  reason: string;
}

type Outcome = { end: 'accept' | 'drop' | 'return'; reason: string };
type Match = 'yes' | 'no' | 'unknown';

/** Chains lead to chains; the kernel knows no loops among them, and a text that we misread shall make none. */
const MAX_DEPTH = 16;

/**
 * What the rules of others do with a packet: each base chain of the hook has a say, and one drop is enough. A rule of which not all is
 * understood makes it a "maybe" where it would drop.
 */
export function judgePacket({ chains, unread }: ForeignRules, packet: Packet): Judgement {
  const families = ['inet', packet.family === 4 ? 'ip' : 'ip6'];
  const bases = [...chains.values()].filter(
    ({ hook, family }) => hook === packet.hook && families.includes(family),
  );
  const doubts: Doubt[] = unread.flatMap((table) => {
    const reason = `table ${table} could not be read`;
    return [
      { may: 'drop' as const, reason },
      { may: 'accept' as const, reason },
    ];
  });
  for (const base of bases.toSorted((one, other) => one.priority - other.priority)) {
    const outcome = walk(base, { chains, packet, doubts, depth: 0 });
    const isDropped = outcome.end === 'drop' || (outcome.end === 'return' && base.policy === 'drop');
    if (!isDropped) continue;
    const reason = outcome.end === 'drop' ? outcome.reason : `chain ${base.place} drops by policy`;
    return { verdict: doubts.some(({ may }) => may === 'accept') ? 'maybe' : 'drop', reason };
  }
  const drop = doubts.find(({ may }) => may === 'drop');
  return drop === undefined ? { verdict: 'accept', reason: '' } : { verdict: 'maybe', reason: drop.reason };
}

/** Of a rule that may match. */
interface Doubt {
  may: 'accept' | 'drop';
  reason: string;
}

interface Walk {
  chains: ForeignRules['chains'];
  packet: Packet;
  doubts: Doubt[];
  depth: number;
}

function walk(chain: ForeignChain, context: Walk): Outcome {
  for (const rule of chain.rules) {
    const matches = rule.map((expression) => matchOf(expression, context.packet));
    if (matches.includes('no')) continue;
    const isSure = !matches.includes('unknown');
    const outcome = statementOf(rule, chain, context);
    if (outcome === undefined) continue;
    if (isSure) {
      if (outcome.end !== 'return' || outcome.reason === '') return outcome;
      continue;
    }
    if (outcome.end !== 'return')
      context.doubts.push({
        may: outcome.end,
        reason: `a rule of chain ${chain.place} may ${outcome.end} it`,
      });
  }
  return { end: 'return', reason: '' };
}

/** What a rule does with what it matches; undefined: nothing that matters here. Back from another chain it goes on (reason "on"). */
function statementOf(rule: readonly unknown[], chain: ForeignChain, context: Walk): Outcome | undefined {
  for (const expression of rule) {
    const statement = recordOf(expression);
    if ('accept' in statement) return { end: 'accept', reason: '' };
    if ('drop' in statement || 'reject' in statement)
      return { end: 'drop', reason: `dropped by a rule of chain ${chain.place}` };
    if ('return' in statement) return { end: 'return', reason: '' };
    const goes = 'goto' in statement;
    const { target } = recordOf(statement['jump'] ?? statement['goto']);
    if (typeof target !== 'string') continue;
    const place = `${chain.place.split(' ').slice(0, 2).join(' ')} ${target}`;
    const next = context.chains.get(place);
    if (next === undefined || context.depth >= MAX_DEPTH) {
      const reason = `chain ${chain.place} leads where it can't be followed`;
      context.doubts.push({ may: 'drop', reason }, { may: 'accept', reason });
      return undefined;
    }
    const outcome = walk(next, { ...context, depth: context.depth + 1 });
    return outcome.end === 'return' ? { end: 'return', reason: goes ? '' : 'on' } : outcome;
  }
  return undefined;
}

const NO_MATCHES = new Set([
  'accept',
  'drop',
  'reject',
  'return',
  'jump',
  'goto',
  'counter',
  'log',
  'comment',
]);

function matchOf(expression: unknown, packet: Packet): Match {
  const record = recordOf(expression);
  const [kind] = Object.keys(record);
  if (kind !== 'match') return kind !== undefined && NO_MATCHES.has(kind) ? 'yes' : 'unknown';
  const { op, left, right } = recordOf(record['match']);
  const actual = actualOf(left, packet);
  if (actual === undefined) return 'unknown';
  const found = contains(right, actual);
  if (found === undefined) return 'unknown';
  if (op === '==' || op === 'in') return found ? 'yes' : 'no';
  return op === '!=' ? (found ? 'no' : 'yes') : 'unknown';
}

/** What the packet has of it; undefined: not known. */
function actualOf(left: unknown, packet: Packet): string | undefined {
  const { meta, payload, ct } = recordOf(left);
  const { key } = recordOf(meta ?? ct);
  if (ct !== undefined) {
    if (key === 'state') return 'new';
    if (key === 'status') return packet.translated ? 'dnat' : 'none';
    return undefined;
  }
  if (meta !== undefined) {
    if (key === 'iifname' || key === 'iif') return packet.incoming;
    if (key === 'oifname' || key === 'oif') return packet.outgoing;
    if (key === 'l4proto') return packet.protocol;
    return key === 'nfproto' ? `ipv${packet.family}` : undefined;
  }
  const { protocol, field } = recordOf(payload);
  const isAddress = protocol === 'ip' || protocol === 'ip6';
  // A match of another family or protocol says of itself which one it means.
  if (isAddress && (protocol === 'ip') !== (packet.family === 4)) return '';
  if (isAddress && field === 'daddr') return packet.destination;
  if (isAddress && (field === 'protocol' || field === 'nexthdr')) return packet.protocol;
  if (field !== 'dport') return undefined;
  return protocol === packet.protocol || protocol === 'th' ? String(packet.port) : '';
}

/** Undefined: it can't be told (a named set, a prefix, a wildcard). */
function contains(right: unknown, actual: string): boolean | undefined {
  if (typeof right === 'number') return String(right) === actual;
  if (typeof right === 'string') {
    if (right.startsWith('@')) return undefined;
    return right.endsWith('*') ? actual.startsWith(right.slice(0, -1)) : right === actual;
  }
  const { set, range } = recordOf(right);
  const list: unknown = Array.isArray(right) ? right : set;
  if (Array.isArray(list)) {
    const found = (list as unknown[]).map((one) => contains(one, actual));
    if (found.includes(true)) return true;
    return found.includes(undefined) ? undefined : false;
  }
  if (!Array.isArray(range) || actual === '' || Number.isNaN(Number(actual))) return undefined;
  const [from, to] = (range as unknown[]).map(Number);
  return from !== undefined && to !== undefined && Number(actual) >= from && Number(actual) <= to;
}
