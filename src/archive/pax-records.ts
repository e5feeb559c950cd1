import { hostileArchive } from './archive-error.ts';
import type { SparseMap, Xattrs } from './entry.ts';
import { decodePath } from './path-bytes.ts';
import type { TarLimits } from './tar-limits.ts';

/** What a pax header says of the member that follows; undefined: nothing. */
export interface PaxAttributes {
  path?: string | undefined;
  linkPath?: string | undefined;
  size?: number | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
  mtime?: { seconds: number; nanoseconds: number } | undefined;
  xattrs: Map<string, Uint8Array>;
  /** Names and values together, bounded. */
  xattrBytes: number;
  sparse: PaxSparse;
}

/** The same when it is complete. */
export type MemberAttributes = Omit<PaxAttributes, 'xattrs'> & { xattrs: Xattrs };

/** GNU.sparse.* in its three versions; `segments` in 0.0 and 0.1, in 1.0 they lie in front of the data. */
export interface PaxSparse {
  major?: number;
  minor?: number;
  name?: string;
  realSize?: number;
  segments: SparseMap['segments'];
}

export interface PaxContext {
  /** Named in errors. */
  member: string;
  limits: TarLimits;
}

interface RecordContext extends PaxContext {
  key: string;
}

export function emptyPaxAttributes(): PaxAttributes {
  return { xattrs: new Map(), xattrBytes: 0, sparse: { segments: [] } };
}

/**
 * Read the records of a pax header into `into`; later ones win, an empty value takes a record back.
 *
 * @throws EngineError "invalid" code archive-hostile for lying lengths, NULs in names, numbers that are none.
 */
export function parsePaxRecords(data: Buffer, into: PaxAttributes, context: PaxContext): void {
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    const length = space === -1 ? Number.NaN : decimal(data.toString('latin1', at, space));
    const end = at + length;
    if (!(length > 0) || end > data.length || data[end - 1] !== 0x0a)
      throw hostileArchive(context.member, 'pax record with a wrong length');
    const equals = data.indexOf(0x3d, space + 1);
    if (equals === -1 || equals >= end - 1 || equals === space + 1)
      throw hostileArchive(context.member, 'pax record without a key and a value');
    const key = data.toString('utf8', space + 1, equals);
    applyRecord(into, data.subarray(equals + 1, end - 1), { ...context, key });
    at = end;
  }
}

function applyRecord(into: PaxAttributes, value: Buffer, record: RecordContext): void {
  const { key } = record;
  if (key.includes('\0')) throw hostileArchive(record.member, 'pax record with a NUL in its key');
  const apply = setters[key];
  if (apply !== undefined) return apply(into, value, record);
  if (key.startsWith(schily)) setXattr(into, value, { ...record, key: key.slice(schily.length) });
  else if (key.startsWith(libarchive)) setEncodedXattr(into, value, record);
}

const schily = 'SCHILY.xattr.';
const libarchive = 'LIBARCHIVE.xattr.';

type Setter = (into: PaxAttributes, value: Buffer, record: RecordContext) => void;

const setters: Record<string, Setter | undefined> = {
  __proto__: null as unknown as undefined,
  path: (into, value, record) => {
    into.path = optionalText(value, record);
  },
  linkpath: (into, value, record) => {
    into.linkPath = optionalText(value, record);
  },
  size: (into, value, record) => {
    into.size = optionalNumber(value, record);
  },
  uid: (into, value, record) => {
    into.uid = optionalNumber(value, record);
  },
  gid: (into, value, record) => {
    into.gid = optionalNumber(value, record);
  },
  mtime: (into, value, record) => {
    into.mtime = value.length === 0 ? undefined : parseTime(value.toString('latin1'), record);
  },
  'RHT.security.selinux': (into, value, record) =>
    setXattr(into, value, { ...record, key: 'security.selinux' }),
  'GNU.sparse.major': (into, value, record) => {
    into.sparse.major = number(value, record);
  },
  'GNU.sparse.minor': (into, value, record) => {
    into.sparse.minor = number(value, record);
  },
  'GNU.sparse.name': (into, value, record) => {
    into.sparse.name = text(value, record);
  },
  'GNU.sparse.size': (into, value, record) => {
    into.sparse.realSize = number(value, record);
  },
  'GNU.sparse.realsize': (into, value, record) => {
    into.sparse.realSize = number(value, record);
  },
  'GNU.sparse.offset': (into, value, record) => {
    if (into.sparse.segments.length >= record.limits.sparseSegments) throw tooManySegments(record.member);
    into.sparse.segments.push({ offset: number(value, record), length: -1 });
  },
  'GNU.sparse.numbytes': (into, value, record) => {
    const segment = into.sparse.segments.at(-1);
    if (segment === undefined || segment.length !== -1)
      throw hostileArchive(record.member, 'sparse map out of order');
    segment.length = number(value, record);
  },
  'GNU.sparse.map': (into, value, record) => {
    const numbers = value.length === 0 ? [] : value.toString('latin1').split(',');
    if (numbers.length % 2 !== 0)
      throw hostileArchive(record.member, 'sparse map with an odd number of values');
    if (numbers.length / 2 > record.limits.sparseSegments) throw tooManySegments(record.member);
    into.sparse.segments = [];
    for (let i = 0; i < numbers.length; i += 2) {
      const offset = checkedDecimal(numbers[i] ?? '', record);
      into.sparse.segments.push({ offset, length: checkedDecimal(numbers[i + 1] ?? '', record) });
    }
  },
};

export function tooManySegments(member: string): Error {
  return hostileArchive(member, 'sparse map with too many segments');
}

function text(value: Buffer, record: RecordContext): string {
  if (value.includes(0)) throw hostileArchive(record.member, 'pax path with a NUL in it');
  return decodePath(value);
}

function optionalText(value: Buffer, record: RecordContext): string | undefined {
  return value.length === 0 ? undefined : text(value, record);
}

/** Non-negative decimal, NaN when it is none or too large to be exact. */
export function decimal(digits: string): number {
  if (!/^[0-9]{1,16}$/.test(digits)) return Number.NaN;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

function checkedDecimal(digits: string, record: RecordContext): number {
  const value = decimal(digits);
  if (Number.isNaN(value))
    throw hostileArchive(record.member, `pax record ${JSON.stringify(record.key)} is no number in range`);
  return value;
}

function number(value: Buffer, record: RecordContext): number {
  return checkedDecimal(value.toString('latin1'), record);
}

function optionalNumber(value: Buffer, record: RecordContext): number | undefined {
  if (value.length === 0) return undefined;
  // Some writers give negative ids (nobody as -2): the caller bounds them.
  if (value[0] === 0x2d && record.key !== 'size') return -checkedDecimal(value.toString('latin1', 1), record);
  return number(value, record);
}

/** `[-]seconds[.fraction]`, truncated to nanoseconds; the nanoseconds count forward from the (floored) seconds. */
function parseTime(value: string, record: RecordContext): { seconds: number; nanoseconds: number } {
  const match = /^(-?)([0-9]{1,16})(?:\.([0-9]*))?$/.exec(value);
  const whole = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(whole))
    throw hostileArchive(record.member, 'pax record "mtime" is no time');
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds: whole, nanoseconds };
  if (nanoseconds === 0) return { seconds: -whole, nanoseconds: 0 };
  return { seconds: -whole - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

function setXattr(into: PaxAttributes, value: Uint8Array, record: RecordContext): void {
  const { key, limits, member } = record;
  if (key === '' || Buffer.byteLength(key) > 255)
    throw hostileArchive(member, 'extended attribute with no name, or one longer than 255 bytes');
  if (value.length > limits.xattrBytes) {
    const reason = `extended attribute ${JSON.stringify(key)} is larger than ${limits.xattrBytes} bytes`;
    throw hostileArchive(member, reason);
  }
  into.xattrBytes += key.length + value.length;
  if (into.xattrBytes > limits.metadataBytes)
    throw hostileArchive(member, `extended attributes are larger than ${limits.metadataBytes} bytes`);
  into.xattrs.set(key, Uint8Array.from(value));
}

/** libarchive's form: percent-encoded name, base64 value. SCHILY's, which is exact, wins where both are given. */
function setEncodedXattr(into: PaxAttributes, value: Buffer, record: RecordContext): void {
  let key: string;
  try {
    key = decodeURIComponent(record.key.slice(libarchive.length));
  } catch {
    throw hostileArchive(record.member, 'extended attribute with a damaged name');
  }
  if (key.includes('\0')) throw hostileArchive(record.member, 'extended attribute with a NUL in its name');
  if (into.xattrs.has(key)) return;
  setXattr(into, Buffer.from(value.toString('latin1'), 'base64'), { ...record, key });
}
