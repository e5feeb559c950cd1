import { hostileArchive } from './archive-error.ts';
import type { SparseMap, TarEntry } from './entry.ts';
import { cleanMemberPath } from './member-path.ts';
import type { MemberAttributes } from './pax-records.ts';
import { checkSparseMap } from './sparse-map.ts';
import type { TarHeader } from './tar-header.ts';
import type { TarLimits } from './tar-limits.ts';
import { noXattrs } from './xattr-sets.ts';

/** Everything known of a member once its header block has been read. */
export interface MemberParts {
  header: TarHeader;
  /** GNU 'L' and 'K'. */
  longName: string | undefined;
  longLink: string | undefined;
  local: MemberAttributes | undefined;
}

const types: Record<string, TarEntry['type'] | undefined> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** The name as written, before it is cleaned: what errors show. */
export function memberName({ header, longName, local }: MemberParts): string {
  return local?.sparse.name ?? longName ?? local?.path ?? header.name;
}

/** Bytes in the archive that belong to the member: none for types that have only a header, whatever their size field says. */
export function archivedSize(parts: MemberParts, limits: TarLimits): number {
  const { header, local } = parts;
  if ('123456'.includes(header.typeflag)) return 0;
  const size = local?.size ?? header.size;
  if (size < 0 || size > limits.fileBytes) throw hostileArchive(memberName(parts), 'size is out of range');
  return size;
}

export interface MemberContent {
  size: number;
  dataOffset: number;
  sparse: SparseMap | undefined;
}

/** @throws EngineError "invalid" code archive-hostile for what no tree can hold. */
export function tarEntryOf(parts: MemberParts, content: MemberContent, limits: TarLimits): TarEntry {
  const { header, local } = parts;
  const name = memberName(parts);
  const type = typeOf(header.typeflag, name);
  const path = cleanPath(name, limits);
  if (path === '' && type !== 'directory') throw hostileArchive(name, 'the root must be a directory');
  const time = local?.mtime;
  return {
    path,
    type,
    mode: header.mode,
    uid: ownerId(local?.uid ?? header.uid, name),
    gid: ownerId(local?.gid ?? header.gid, name),
    mtimeSeconds: time?.seconds ?? header.mtimeSeconds,
    mtimeNanoseconds: time?.nanoseconds ?? 0,
    size: content.size,
    dataOffset: content.dataOffset,
    linkTarget: linkTargetOf(parts, type, limits),
    deviceMajor: deviceNumber(header.deviceMajor, 0xfff, name),
    deviceMinor: deviceNumber(header.deviceMinor, 0xfffff, name),
    xattrs: local?.xattrs ?? noXattrs,
    sparse: content.sparse && checkSparseMap(content.sparse, content.size, { member: name, limits }),
  };
}

function typeOf(typeflag: string, name: string): TarEntry['type'] {
  const type = types[typeflag];
  if (type === undefined) throw hostileArchive(name, `unhandled member type ${JSON.stringify(typeflag)}`);
  return type === 'file' && typeflag === '\0' && name.endsWith('/') ? 'directory' : type;
}

function cleanPath(name: string, limits: TarLimits): string {
  if (name.length * 3 > limits.pathBytes && Buffer.byteLength(name) > limits.pathBytes)
    throw hostileArchive(name, `path is longer than ${limits.pathBytes} bytes`);
  return cleanMemberPath(name);
}

function linkTargetOf(parts: MemberParts, type: TarEntry['type'], limits: TarLimits): string {
  if (type !== 'symlink' && type !== 'hardlink') return '';
  const target = parts.longLink ?? parts.local?.linkPath ?? parts.header.linkName;
  const name = memberName(parts);
  if (target.length * 3 > limits.pathBytes && Buffer.byteLength(target) > limits.pathBytes)
    throw hostileArchive(name, `link target is longer than ${limits.pathBytes} bytes`);
  if (type === 'symlink') {
    if (target === '') throw hostileArchive(name, 'symbolic link without a target');
    return target;
  }
  const cleaned = hardLinkTarget(target, name);
  if (cleaned === '') throw hostileArchive(name, 'hard link to the root');
  return cleaned;
}

function hardLinkTarget(target: string, name: string): string {
  try {
    return cleanMemberPath(target);
  } catch {
    throw hostileArchive(name, `hard link to ${JSON.stringify(target.slice(0, 200))} leaves the archive`);
  }
}

/** 32-bit ids; some writers have nobody as -2. The id that means "leave as is" to chown is refused. */
function ownerId(id: number, name: string): number {
  const unsigned = id < 0 && id >= -0x8000_0000 ? id + 0x1_0000_0000 : id;
  if (unsigned < 0 || unsigned >= 0xffff_ffff) throw hostileArchive(name, `owner ${id} is out of range`);
  return unsigned;
}

function deviceNumber(value: number, highest: number, name: string): number {
  if (value < 0 || value > highest) throw hostileArchive(name, 'device number is out of range');
  return value;
}
