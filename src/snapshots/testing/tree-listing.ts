import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { FileType, NodeAttributes, Tree } from '../../archive/tree.ts';
import { cString, libc } from '../../sys/libc.ts';

const second = 1_000_000_000n;

/** Everything of a tree, path by path, in a form that two sources can be compared by. */
export type Listing = Record<string, unknown>;

export async function listTree(tree: Tree): Promise<Listing> {
  const listing: Listing = {};
  const todo = [''];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const node = await tree.lookup(path);
    if (node === undefined) throw new Error(`the tree lists ${path} but has it not`);
    const content = node.type === 'file' ? await new Response(tree.read(path)).text() : undefined;
    listing[`/${path}`] = shown(node, content);
    for (const name of (await tree.list(path)) ?? []) todo.push(path === '' ? name : `${path}/${name}`);
  }
  return listing;
}

export function listMounted(root: string): Listing {
  const listing: Listing = {};
  const todo = [''];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const full = join(root, path);
    const node = attributesOf(full);
    listing[`/${path}`] = shown(node, node.type === 'file' ? readFileSync(full, 'utf8') : undefined);
    if (node.type === 'directory')
      for (const name of readdirSync(full)) todo.push(path === '' ? name : `${path}/${name}`);
  }
  return listing;
}

/** Directories differ in link count and size by nature of the file system. */
function shown(node: NodeAttributes, content: string | undefined) {
  const { xattrs, links, ...rest } = node;
  return {
    ...rest,
    ...(node.type === 'directory' ? {} : { links }),
    xattrs: Object.fromEntries(
      [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
    ),
    content,
  };
}

function attributesOf(path: string): NodeAttributes {
  const stat = lstatSync(path, { bigint: true });
  const nanoseconds = stat.mtimeNs;
  const fraction = ((nanoseconds % second) + second) % second;
  const type = typeOf(stat);
  const attributes: NodeAttributes = {
    type,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeSeconds: Number((nanoseconds - fraction) / second),
    mtimeNanoseconds: Number(fraction),
    size: type === 'file' || type === 'symlink' ? Number(stat.size) : 0,
    links: Number(stat.nlink),
    xattrs: xattrsOf(path),
  };
  if (type === 'symlink') attributes.linkTarget = readlinkSync(path);
  if (type === 'char' || type === 'block') {
    const device = Number(stat.rdev);
    attributes.deviceMajor = (device >>> 8) & 0xfff;
    attributes.deviceMinor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  }
  return attributes;
}

function typeOf(stat: ReturnType<typeof lstatSync>): FileType {
  if (stat === undefined) throw new Error('gone');
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

function xattrsOf(path: string): Map<string, Uint8Array> {
  const file = cString(path);
  const names = Buffer.alloc(65_536);
  const length = Number(libc.llistxattr(file, names, BigInt(names.length)));
  const found = new Map<string, Uint8Array>();
  for (const name of names.toString('utf8', 0, Math.max(0, length)).split('\0')) {
    if (name === '' || name === 'security.selinux') continue;
    const value = Buffer.alloc(65_536);
    const size = Number(libc.lgetxattr(file, cString(name), value, BigInt(value.length)));
    if (size >= 0) found.set(name, value.subarray(0, size));
  }
  return found;
}
