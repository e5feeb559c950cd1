/** Of a message's header (RFC 1035, 4.1.1). */
const HEADER_BYTES = 12;
const MAX_NAME_BYTES = 255;
const FORMERR = 1;
const TYPE = { ns: 2, cname: 5, soa: 6, ptr: 12, mx: 15, srv: 33 };
/** Where the names are in what may hold compressed ones: after so many bytes, so many of them (RFC 1035, 3.3; RFC 2782). */
const NAMES_IN: ReadonlyMap<number, { after: number; count: number }> = new Map([
  [TYPE.ns, { after: 0, count: 1 }],
  [TYPE.cname, { after: 0, count: 1 }],
  [TYPE.ptr, { after: 0, count: 1 }],
  [TYPE.soa, { after: 0, count: 2 }],
  [TYPE.mx, { after: 2, count: 1 }],
  [TYPE.srv, { after: 6, count: 1 }],
]);

/**
 * Whether a server's message may be handed to who has asked `query`: an answer to this very question, and one whose records and names can be
 * read to their ends. Servers are not trusted, nor is whoever may send in their name.
 */
export function isAnswerTo(query: Buffer, answer: Buffer): boolean {
  if (answer.length < HEADER_BYTES || answer.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  const flags = answer.readUInt16BE(2);
  const isAnswer = (flags & 0x8000) !== 0 && (flags & 0x7800) === (query.readUInt16BE(2) & 0x7800);
  if (!isAnswer) return false;
  const questions = answer.readUInt16BE(4);
  // Who can't read a query need not repeat it.
  if (questions === 0) return (flags & 0xf) >= FORMERR && recordsOf(answer) === 0;
  const asked = questionOf(query);
  const repeated = questionOf(answer);
  if (questions !== 1 || asked === undefined || repeated === undefined || !isSame(asked, repeated))
    return false;
  return canBeRead(answer, HEADER_BYTES + repeated.length);
}

/** The answer cut down to its question, and said to be cut, where it is more than the asker takes. */
export function fitted(answer: Buffer, limitBytes: number): Buffer {
  const question = questionOf(answer);
  if (answer.length <= limitBytes || question === undefined) return answer;
  const cut = Buffer.from(answer.subarray(0, HEADER_BYTES + question.length));
  cut.writeUInt16BE(cut.readUInt16BE(2) | 0x200, 2);
  cut.fill(0, 6, HEADER_BYTES);
  return cut;
}

export function isTruncated(answer: Buffer): boolean {
  return (answer.readUInt16BE(2) & 0x200) !== 0;
}

/** The bytes of the first question, whose name nothing before can compress. */
export function questionOf(message: Buffer): Buffer | undefined {
  let at = HEADER_BYTES;
  while (at < message.length && at - HEADER_BYTES < MAX_NAME_BYTES) {
    const length = message[at] ?? 0;
    if (length > 63) return undefined;
    at += 1 + length;
    if (length === 0) return at + 4 <= message.length ? message.subarray(HEADER_BYTES, at + 4) : undefined;
  }
  return undefined;
}

function isSame(one: Buffer, other: Buffer): boolean {
  // Lengths of labels are below the letters, types and classes of questions that differ by this bit alone are none.
  return one.toString('latin1').toLowerCase() === other.toString('latin1').toLowerCase();
}

function recordsOf(message: Buffer): number {
  return message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
}

function canBeRead(message: Buffer, start: number): boolean {
  let at: number | undefined = start;
  for (let left = recordsOf(message); left > 0; left--) {
    at = endOfRecord(message, at);
    if (at === undefined) return false;
  }
  return true;
}

function endOfRecord(message: Buffer, start: number): number | undefined {
  const at = endOfName(message, start);
  if (at === undefined || at + 10 > message.length) return undefined;
  const data = at + 10;
  const end = data + message.readUInt16BE(at + 8);
  if (end > message.length) return undefined;
  const names = NAMES_IN.get(message.readUInt16BE(at));
  let name: number | undefined = data + (names?.after ?? 0);
  for (let left = names?.count ?? 0; left > 0; left--) {
    name = endOfName(message, name);
    if (name === undefined || name > end) return undefined;
  }
  return end;
}

/** Where a name ends, pointers followed: each leads further back than where it was read from, so that none comes round. */
function endOfName(message: Buffer, start: number): number | undefined {
  let end: number | undefined;
  let bytes = 0;
  let at = start;
  let floor = start;
  while (at < message.length) {
    const length = message[at] ?? 0;
    if (length >= 0xc0) {
      if (at + 2 > message.length) return undefined;
      end ??= at + 2;
      const target = message.readUInt16BE(at) & 0x3fff;
      if (target >= floor || target < HEADER_BYTES) return undefined;
      floor = target;
      at = target;
      continue;
    }
    bytes += 1 + length;
    if (length > 63 || bytes > MAX_NAME_BYTES) return undefined;
    at += 1 + length;
    if (length === 0) return end ?? at;
  }
  return undefined;
}
