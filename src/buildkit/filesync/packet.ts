import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { decodePath, encodePath } from '../../archive/path-bytes.ts';
import { EngineError } from '../../errors/engine-error.ts';

/** What a sender tells of one file. fsutil's `Stat`. */
export interface FileStat {
  /** Relative; what is not UTF-8 in it as `archive/path-bytes` keeps it. */
  path: string;
  /** Go's FileMode. */
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: bigint;
  mtimeNano: bigint;
  /** Target of a symbolic link, or of a hard link for a regular file. */
  linkname: string;
  deviceMajor: number;
  deviceMinor: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
}

/** fsutil's `Packet`, whose messages are too many for a general decoder. */
export type Packet =
  /** Undefined: there are no more. */
  | { type: 'stat'; stat: FileStat | undefined }
  | { type: 'request'; id: number }
  /** Empty: the file's end. */
  | { type: 'data'; id: number; data: Uint8Array }
  | { type: 'finish' }
  | { type: 'error'; message: string };

const TYPES = ['stat', 'request', 'data', 'finish', 'error'] as const;
const EMPTY = new Uint8Array();

/** Data is a view of `message`. @throws EngineError "invalid". */
export function decodePacket(message: Uint8Array): Packet {
  try {
    return decode(message);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError('invalid', 'Cannot read a packet of the context: it is malformed', {
      cause: error,
    });
  }
}

function decode(message: Uint8Array): Packet {
  const reader = new BinaryReader(message);
  let [kind, id] = [0, 0];
  let stat: FileStat | undefined;
  let data: Uint8Array = EMPTY;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) kind = reader.uint32();
    else if (field === 2) stat = decodeStat(reader.bytes());
    else if (field === 3) id = reader.uint32();
    else if (field === 4) data = reader.bytes();
    else reader.skip(wireType, field);
  }
  const type = TYPES[kind];
  if (type === undefined)
    throw new EngineError('invalid', `Cannot read a packet of the context: no type ${kind}`);
  switch (type) {
    case 'stat':
      return { type, stat };
    case 'request':
      return { type, id };
    case 'data':
      return { type, id, data };
    case 'finish':
      return { type };
    case 'error':
      return { type, message: new TextDecoder().decode(data) };
  }
}

function decodeStat(bytes: Uint8Array): FileStat {
  const reader = new BinaryReader(bytes);
  const xattrs = new Map<string, Uint8Array>();
  const stat = {
    path: '',
    mode: 0,
    uid: 0,
    gid: 0,
    sizeBytes: 0n,
    mtimeNano: 0n,
    linkname: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs,
  };
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) stat.path = decodePath(reader.bytes());
    else if (field === 2) stat.mode = reader.uint32();
    else if (field === 3) stat.uid = reader.uint32();
    else if (field === 4) stat.gid = reader.uint32();
    else if (field === 5) stat.sizeBytes = BigInt(reader.int64());
    else if (field === 6) stat.mtimeNano = BigInt(reader.int64());
    else if (field === 7) stat.linkname = decodePath(reader.bytes());
    else if (field === 8) stat.deviceMajor = Number(reader.int64());
    else if (field === 9) stat.deviceMinor = Number(reader.int64());
    else if (field === 10) addXattr(xattrs, reader.bytes());
    else reader.skip(wireType, field);
  }
  return stat;
}

function addXattr(xattrs: Map<string, Uint8Array>, entry: Uint8Array): void {
  const reader = new BinaryReader(entry);
  let key = '';
  let value: Uint8Array = EMPTY;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) key = reader.string();
    else if (field === 2) value = reader.bytes().slice();
    else reader.skip(wireType, field);
  }
  xattrs.set(key, value);
}

export function encodePacket(packet: Packet): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).uint32(TYPES.indexOf(packet.type));
  if (packet.type === 'stat' && packet.stat !== undefined)
    writer.tag(2, WireType.LengthDelimited).bytes(encodeStat(packet.stat));
  if ('id' in packet) writer.tag(3, WireType.Varint).uint32(packet.id);
  if (packet.type === 'data') writer.tag(4, WireType.LengthDelimited).bytes(packet.data);
  if (packet.type === 'error')
    writer.tag(4, WireType.LengthDelimited).bytes(new TextEncoder().encode(packet.message));
  return writer.finish();
}

function encodeStat(stat: FileStat): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).bytes(encodePath(stat.path));
  writer.tag(2, WireType.Varint).uint32(stat.mode);
  writer.tag(3, WireType.Varint).uint32(stat.uid);
  writer.tag(4, WireType.Varint).uint32(stat.gid);
  writer.tag(5, WireType.Varint).int64(stat.sizeBytes);
  writer.tag(6, WireType.Varint).int64(stat.mtimeNano);
  writer.tag(7, WireType.LengthDelimited).bytes(encodePath(stat.linkname));
  writer.tag(8, WireType.Varint).int64(stat.deviceMajor);
  writer.tag(9, WireType.Varint).int64(stat.deviceMinor);
  for (const [key, value] of stat.xattrs) {
    const entry = new BinaryWriter();
    entry.tag(1, WireType.LengthDelimited).string(key);
    entry.tag(2, WireType.LengthDelimited).bytes(value);
    writer.tag(10, WireType.LengthDelimited).bytes(entry.finish());
  }
  return writer.finish();
}
