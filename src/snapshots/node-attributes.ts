import type { BigIntStats } from 'node:fs';
import { chmodSync, lchownSync, lstatSync, readlinkSync } from 'node:fs';
import { decodePath, encodePath } from '../archive/path-bytes.ts';
import type { FileType, NodeAttributes } from '../archive/tree.ts';
import { errnoCodeOf } from '../errors/engine-error.ts';
import { errno } from '../sys/errno.ts';
import { lastErrno, libc, SyscallError } from '../sys/libc.ts';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

/** What Node's API takes for a path of ours: bytes only where a string would not do. */
export function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodePath(path);
}

/** NUL-terminated bytes for libc. */
function cPath(path: string): Buffer {
  return Buffer.concat([encodePath(path), nul]);
}

const nul = Buffer.alloc(1);

/** lstat(2); undefined where nothing is, or where a component on the way is no directory. */
export function statNode(path: string): BigIntStats | undefined {
  try {
    return lstatSync(fsPath(path), { bigint: true });
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Overlay's mark of a removed name: a character device 0/0. */
export function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

/** Overlay's mark of a directory that hides what lies below it. */
export const opaqueXattr = 'trusted.overlay.opaque';

export function isOpaque(path: string): boolean {
  return getXattr(path, opaqueXattr)?.toString('latin1') === 'y';
}

export function markOpaque(path: string): void {
  setXattr(path, opaqueXattr, Buffer.from('y'));
}

export function makeWhiteout(path: string): void {
  makeDevice(path, { type: 'char', mode: 0, major: 0, minor: 0 });
}

export interface Device {
  type: 'char' | 'block';
  mode: number;
  major: number;
  minor: number;
}

export function makeDevice(path: string, { type, mode, major, minor }: Device): void {
  const name = cPath(path);
  const format = type === 'char' ? 0o020000 : 0o060000;
  check(libc.mknod(name, format | mode, deviceNumber(major, minor)), 'mknod', path);
}

export function makeFifo(path: string, mode: number): void {
  const name = cPath(path);
  check(libc.mkfifo(name, mode), 'mkfifo', path);
}

/** glibc's makedev. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  );
}

function deviceParts(device: bigint): { deviceMajor: number; deviceMinor: number } {
  return {
    deviceMajor: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    deviceMinor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

/** Both times of a node, symlinks not followed. */
export function setTimes(path: string, seconds: number, nanoseconds: number): void {
  const name = cPath(path);
  const times = new BigInt64Array([
    BigInt(seconds),
    BigInt(nanoseconds),
    BigInt(seconds),
    BigInt(nanoseconds),
  ]);
  check(libc.utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW), 'utimensat', path);
}

/**
 * Set an extended attribute, symlinks not followed. What the file system cannot hold is left out, as Docker does: unsupported
 * namespaces, and `user.` on what is neither file nor directory.
 */
export function setXattr(path: string, name: string, value: Uint8Array): void {
  const [file, key] = [cPath(path), cPath(name)];
  // A pointer to nothing needs an address all the same.
  const bytes = value.length === 0 ? nul : value;
  if (libc.lsetxattr(file, key, bytes, BigInt(value.length), 0) === 0) return;
  const error = lastErrno();
  const unsupported = error === errno.EOPNOTSUPP || (error === errno.EPERM && name.startsWith('user.'));
  if (!unsupported) throw new SyscallError('lsetxattr', error, `set ${name} on ${path}`);
}

export function getXattr(path: string, name: string): Buffer | undefined {
  return growing((buffer) => libc.lgetxattr(cPath(path), cPath(name), buffer, BigInt(buffer.length)), path);
}

function listXattrs(path: string): string[] {
  const names = growing((buffer) => libc.llistxattr(cPath(path), buffer, BigInt(buffer.length)), path);
  return names === undefined ? [] : names.toString('utf8').split('\0').slice(0, -1);
}

const ERANGE = 34;

/** Call with a small buffer, then with the largest that the kernel fills; undefined where there is no such attribute. */
function growing(call: (buffer: Buffer) => number | bigint, path: string): Buffer | undefined {
  for (const size of [256, 65_536]) {
    const buffer = Buffer.alloc(size);
    const length = Number(call(buffer));
    if (length >= 0) return buffer.subarray(0, length);
    const error = lastErrno();
    if (error === errno.ENODATA || error === errno.EOPNOTSUPP || error === errno.ENOENT) return undefined;
    if (error !== ERANGE) throw new SyscallError('getxattr', error, `read attributes of ${path}`);
  }
  return undefined;
}

/** The xattrs of a node but for overlayfs's own. */
export function readXattrs(path: string): Map<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>();
  for (const name of listXattrs(path)) {
    if (name.startsWith('trusted.overlay.')) continue;
    const value = getXattr(path, name);
    if (value !== undefined) xattrs.set(name, Uint8Array.from(value));
  }
  return xattrs;
}

/** The node's attributes as a `Tree` gives them. */
export function nodeAttributes(path: string, stat: BigIntStats): NodeAttributes {
  const type = fileType(stat);
  return {
    type,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    ...timeOf(stat.mtimeNs),
    size: type === 'file' || type === 'symlink' ? Number(stat.size) : 0,
    links: Number(stat.nlink),
    ...(type === 'symlink' ? { linkTarget: readLink(path) } : {}),
    ...(type === 'char' || type === 'block' ? deviceParts(stat.rdev) : {}),
    xattrs: readXattrs(path),
  };
}

export function readLink(path: string): string {
  return decodePath(readlinkSync(fsPath(path), { encoding: 'buffer' }));
}

function timeOf(nanoseconds: bigint): { mtimeSeconds: number; mtimeNanoseconds: number } {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    mtimeSeconds: Number((nanoseconds - rest) / 1_000_000_000n),
    mtimeNanoseconds: Number(rest),
  };
}

export function fileType(stat: BigIntStats): FileType {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

/** Give a directory owner, mode, xattrs and time of another. The mode after the owner: chown clears set-id bits. */
export function applyToDirectory(path: string, node: NodeAttributes): void {
  lchownSync(fsPath(path), node.uid, node.gid);
  chmodSync(fsPath(path), node.mode);
  for (const [name, value] of node.xattrs) setXattr(path, name, value);
  setTimes(path, node.mtimeSeconds, node.mtimeNanoseconds);
}

function check(result: number, call: string, path: string): void {
  if (result === -1) throw new SyscallError(call, lastErrno(), `${call} ${path}`);
}
