import { type Answer, type DecodedPacket, encode, type Packet } from 'dns-packet';
import { formatIp } from '../../sys/ip.ts';
import { questionOf } from './check-answer.ts';
import { decodeQuery } from './decode-query.ts';
import type { NamedContainer } from './name-server.ts';
import type { NameTable } from './name-table.ts';

/** What becomes of a query: an answer, or others are asked. Undefined: it is none, and nobody is answered. */
export type Verdict = { answer: Buffer } | { forward: true; limitBytes: number };

const TTL_SECONDS = 600;
const RCODE = { FORMERR: 1, SERVFAIL: 2, NOTIMP: 4 };
/** Bits of the header's second word (RFC 1035, 4.1.1). */
const RECURSION_DESIRED = 0x100;
const RECURSION_AVAILABLE = 0x80;
const TRUNCATED = 0x200;
const PLAIN_UDP_BYTES = 512;

/**
 * Decide on a query that a container has sent. Names of its networks are answered here for every type, so that none of them is told
 * to servers outside.
 */
export function answerQuery(
  query: Buffer,
  asker: Pick<NamedContainer, 'networks' | 'links' | 'forwarding'>,
  table: NameTable,
  limitBytes: (packet: DecodedPacket) => number,
): Verdict | undefined {
  const packet = decodeQuery(query);
  if (packet === undefined) return query.length < 12 ? undefined : { answer: failure(query, RCODE.FORMERR) };
  const [question] = packet.questions ?? [];
  if (question === undefined || packet.questions?.length !== 1)
    return { answer: failure(query, RCODE.FORMERR) };
  if ((query.readUInt16BE(2) & 0x7800) !== 0) return { answer: failure(query, RCODE.NOTIMP) };
  const answers = answersTo({ type: String(question.type), name: question.name }, asker, table);
  if (answers !== undefined) return { answer: encodeAnswer(packet, answers, limitBytes(packet)) };
  return asker.forwarding === undefined
    ? { answer: failure(query, RCODE.SERVFAIL) }
    : { forward: true, limitBytes: limitBytes(packet) };
}

/** How much the asker takes by UDP (RFC 6891). */
export function udpLimit(packet: DecodedPacket): number {
  const option = packet.additionals?.find((one) => one.type === 'OPT');
  const asked = option?.type === 'OPT' ? option.udpPayloadSize : 0;
  return Math.min(Math.max(PLAIN_UDP_BYTES, asked), 4096);
}

/** SERVFAIL for a query that nobody has answered. */
export function servfail(query: Buffer): Buffer {
  return failure(query, RCODE.SERVFAIL);
}

function answersTo(
  question: { type: string; name: string },
  asker: Pick<NamedContainer, 'networks' | 'links'>,
  table: NameTable,
): Answer[] | undefined {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  if (question.type === 'PTR') {
    const address = addressOf(name);
    const found = address === undefined ? undefined : table.findAddress(address, asker);
    return found === undefined
      ? undefined
      : [{ type: 'PTR', name: question.name, ttl: TTL_SECONDS, data: found }];
  }
  const found = table.find(name, asker);
  if (found === undefined) return undefined;
  if (question.type !== 'A' && question.type !== 'AAAA') return [];
  const { type } = question;
  return inTurn(type === 'A' ? found.ipv4 : found.ipv6).map((data) => ({
    type,
    name: question.name,
    ttl: TTL_SECONDS,
    data,
  }));
}

/** Any of the replicas first. */
function inTurn(addresses: readonly string[]): string[] {
  const start = addresses.length < 2 ? 0 : Math.floor(Math.random() * addresses.length);
  return [...addresses.slice(start), ...addresses.slice(0, start)];
}

/** `2.0.17.172.in-addr.arpa`, and the 32 digits of ip6.arpa. */
function addressOf(name: string): string | undefined {
  const ipv4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (ipv4 !== null) return ipv4.slice(1).toReversed().join('.');
  const digits = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (digits === undefined) return undefined;
  const value = BigInt(`0x${digits.split('.').toReversed().join('')}`);
  return formatIp({ family: 6, value });
}

function encodeAnswer(query: DecodedPacket, answers: Answer[], limitBytes: number): Buffer {
  const asksExtended = query.additionals?.some(({ type }) => type === 'OPT') === true;
  const packet: Packet = {
    type: 'response',
    ...(query.id === undefined ? {} : { id: query.id }),
    flags: RECURSION_AVAILABLE | (query.flag_rd ? RECURSION_DESIRED : 0),
    questions: query.questions ?? [],
    answers,
    additionals: asksExtended
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: 4096,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  };
  const whole = encode(packet);
  if (whole.length <= limitBytes) return whole;
  // Old resolvers never ask by TCP (musl before 1.2.4): as many as there is room for. All records are of one length.
  const empty = encode({ ...packet, answers: [] }).length;
  const room = Math.max(0, Math.floor(((limitBytes - empty) * answers.length) / (whole.length - empty)));
  return encode({ ...packet, answers: answers.slice(0, room), flags: (packet.flags ?? 0) | TRUNCATED });
}

/** The query's own bytes as far as its question, so that nothing of a damaged one is read again. */
function failure(query: Buffer, code: number): Buffer {
  const answer = Buffer.alloc(12);
  query.copy(answer, 0, 0, 2);
  const flags = 0x8000 | (query.readUInt16BE(2) & (0x7800 | RECURSION_DESIRED)) | RECURSION_AVAILABLE | code;
  answer.writeUInt16BE(flags, 2);
  const question = query.readUInt16BE(4) === 1 ? questionOf(query) : undefined;
  if (question === undefined) return answer;
  answer.writeUInt16BE(1, 4);
  return Buffer.concat([answer, question]);
}
