import type { BigIntStats } from 'node:fs';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { decodePath, encodePath } from '../../../../archive/path-bytes.ts';
import { type TarMember, TarWriter } from '../../../../archive/tar-writer.ts';
import type { FileType } from '../../../../archive/tree.ts';

const CHUNK_BYTES = 256 << 10;

/**
 * A tar of a local file, or of a directory and what is in it, whose first member is called `name` (`.`: members are named from there). Owners are numbers, times whole seconds;
 * hard links stay links; sockets are left out. @throws the system's error where something can't be read.
 */
export async function* localTar(root: string, name: string): AsyncGenerator<Uint8Array, void, undefined> {
  const writer = new TarWriter();
  const links = new Map<string, string>();
  const todo: { path: string; member: string }[] = [{ path: root, member: name === '.' ? '' : name }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { path, member } = next;
    const stat = lstatSync(fsPath(path), { bigint: true });
    const type = typeOf(stat);
    if (type === 'socket') continue;
    const inode = `${stat.dev}:${stat.ino}`;
    const linkTarget = stat.nlink > 1n && type === 'file' ? links.get(inode) : undefined;
    if (type === 'file' && linkTarget === undefined) {
      yield* file(writer, path, member);
      if (stat.nlink > 1n) links.set(inode, member);
      continue;
    }
    yield writer.header({
      ...attributes(path, member, stat),
      ...(linkTarget === undefined ? {} : { type: 'hardlink', linkTarget }),
      size: 0,
    });
    if (type === 'directory') todo.push(...childrenOf(path, member));
  }
  yield writer.end();
}

/** Exactly as many bytes as it had when it was opened. */
function* file(writer: TarWriter, path: string, member: string): Generator<Uint8Array> {
  // Without waiting for a writer, should a pipe have taken its place.
  const fd = openSync(fsPath(path), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd, { bigint: true });
    yield writer.header({ ...attributes(path, member, stat), type: 'file', size: Number(stat.size) });
    for (let left = Number(stat.size); left > 0; ) {
      const chunk = Buffer.alloc(Math.min(left, CHUNK_BYTES));
      const length = readSync(fd, chunk, 0, chunk.length, null) || chunk.length;
      writer.content(length);
      yield chunk.subarray(0, length);
      left -= length;
    }
    const padding = writer.padding();
    if (padding.length > 0) yield padding;
  } finally {
    closeSync(fd);
  }
}

/** Last one first. */
function childrenOf(path: string, member: string): { path: string; member: string }[] {
  const [stem, prefix] = [path.replace(/\/\.?$/, ''), member === '' ? '' : `${member}/`];
  return readdirSync(fsPath(path), { encoding: 'buffer' })
    .sort((a, b) => Buffer.compare(a, b))
    .reverse()
    .map(decodePath)
    .map((name) => ({ path: `${stem}/${name}`, member: `${prefix}${name}` }));
}

function attributes(path: string, member: string, stat: BigIntStats): TarMember {
  const type = typeOf(stat);
  const second = 1_000_000_000n;
  const nanoseconds = ((stat.mtimeNs % second) + second) % second;
  return {
    path: member,
    type,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: 0,
    mtimeSeconds: Number((stat.mtimeNs - nanoseconds) / second),
    ...(type === 'symlink'
      ? { linkTarget: decodePath(readlinkSync(fsPath(path), { encoding: 'buffer' })) }
      : {}),
    ...(type === 'char' || type === 'block' ? deviceOf(stat.rdev) : {}),
  };
}

function deviceOf(device: bigint): { deviceMajor: number; deviceMinor: number } {
  return {
    deviceMajor: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    deviceMinor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

function typeOf(stat: BigIntStats): FileType {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodePath(path);
}
