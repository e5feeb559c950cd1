import { type DecodedPacket, decode, type OptAnswer } from 'dns-packet';
import { questionOf } from './check-answer.ts';

/** One question and an extension: containers may send 64 KiB, and nothing needs it. */
const MAX_QUERY_BYTES = 4096;
const HEADER_BYTES = 12;
const TYPE_OPT = 41;
/** Of a record, behind its name: type, class, TTL, length of its data (RFC 1035, 4.1.3). */
const FIXED_BYTES = 10;

/**
 * Header, question and OPT record of a query, as much as an answer needs; undefined: it is none, or can't be read. Other records are passed over
 * and their names not followed, so that the time grows with the query's length alone.
 */
export function decodeQuery(query: Buffer): DecodedPacket | undefined {
  if (query.length > MAX_QUERY_BYTES || query.length < HEADER_BYTES) return undefined;
  const question = query.readUInt16BE(4) === 1 ? questionOf(query) : undefined;
  if (question === undefined) return undefined;
  const end = HEADER_BYTES + question.length;
  const head = Buffer.from(query.subarray(0, end));
  // Of it alone nothing but the question is there.
  head.fill(0, 6, HEADER_BYTES);
  const size = extensionOf(query, end);
  if (size === 'unreadable') return undefined;
  try {
    const packet = decode(head);
    if (packet.type !== 'query') return undefined;
    return { ...packet, additionals: size === undefined ? [] : [optOf(size)] };
  } catch {
    return undefined;
  }
}

/** How long an answer the query's OPT record says that the asker takes (RFC 6891, 6.1.2: in the place of the class). */
function extensionOf(query: Buffer, start: number): number | undefined | 'unreadable' {
  let at = start;
  let size: number | undefined;
  const before = query.readUInt16BE(6) + query.readUInt16BE(8);
  const count = before + query.readUInt16BE(10);
  for (let index = 0; index < count; index++) {
    const fixed = behindName(query, at);
    if (fixed === undefined || fixed + FIXED_BYTES > query.length) return 'unreadable';
    if (index >= before && query.readUInt16BE(fixed) === TYPE_OPT) size ??= query.readUInt16BE(fixed + 2);
    at = fixed + FIXED_BYTES + query.readUInt16BE(fixed + 8);
    if (at > query.length) return 'unreadable';
  }
  return size;
}

function behindName(query: Buffer, start: number): number | undefined {
  let at = start;
  while (at < query.length) {
    const length = query[at] ?? 0;
    if (length >= 0xc0) return at + 2;
    if (length > 63) return undefined;
    at += 1 + length;
    if (length === 0) return at;
  }
  return undefined;
}

function optOf(udpPayloadSize: number): OptAnswer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
}
