import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';

export interface FileAttributes {
  mode?: number;
  uid?: number;
  gid?: number;
  modified?: Date;
}

interface Member extends FileAttributes {
  /** A folder's ends with a slash. */
  name: string;
  type: 'file' | 'folder' | 'link';
  sizeBytes: number;
  /** Of a link. */
  target?: string;
}

const BLOCK = 512;
const TYPE_FLAGS = { file: '0', link: '2', folder: '5' } as const;
/** What 11 octal digits hold. */
const MAX_USTAR_SIZE = 8 ** 11 - 1;
const encoder = new TextEncoder();

/** A tar of one file. */
export function packFile(name: string, content: string | Uint8Array, attributes: FileAttributes): Uint8Array {
  if (name === '' || name === '.' || name === '..')
    throw new EngineError('invalid', `Cannot write a file: ${JSON.stringify(name)} is no name for one`);
  const bytes = typeof content === 'string' ? encoder.encode(content) : content;
  const member: Member = { ...attributes, name, type: 'file', sizeBytes: bytes.length };
  return Buffer.concat([header(member), bytes, padding(bytes.length), new Uint8Array(2 * BLOCK)]);
}

/**
 * A tar of a file or folder of this machine, links as links; what is neither is left out. `name` is what its members begin with, by
 * default its own; '' for a folder: its content alone. `wants` is asked for paths below it.
 *
 * Owners are root's: those of this machine mean nothing elsewhere.
 *
 * @throws the system's error; EngineError "invalid" when a file changes its size while it is read.
 */
export async function* packLocal(
  localPath: string,
  options: { name?: string | undefined; wants?: (path: string, isFolder: boolean) => boolean } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const path = resolve(localPath);
  yield* packTree(path, options.name ?? basename(path), { below: '', wants: options.wants ?? (() => true) });
  yield new Uint8Array(2 * BLOCK);
}

async function* packTree(
  path: string,
  name: string,
  walk: { below: string; wants: (path: string, isFolder: boolean) => boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  const stat = await lstat(path);
  const attributes = { mode: stat.mode & 0o7777, modified: stat.mtime };
  if (walk.below !== '' && !walk.wants(walk.below, stat.isDirectory())) return;
  if (stat.isSymbolicLink())
    yield header({ ...attributes, name, type: 'link', sizeBytes: 0, target: await readlink(path) });
  else if (stat.isFile()) {
    yield header({ ...attributes, name, type: 'file', sizeBytes: stat.size });
    yield* content(path, stat.size);
  } else if (stat.isDirectory()) {
    if (name !== '') yield header({ ...attributes, name: `${name}/`, type: 'folder', sizeBytes: 0 });
    for (const entry of (await readdir(path)).sort()) {
      const below = walk.below === '' ? entry : `${walk.below}/${entry}`;
      yield* packTree(join(path, entry), name === '' ? entry : `${name}/${entry}`, { ...walk, below });
    }
  }
}

async function* content(path: string, sizeBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  let left = sizeBytes;
  if (left > 0)
    for await (const chunk of createReadStream(path, { end: sizeBytes - 1, highWaterMark: 256 * 1024 })) {
      const bytes = chunk as Uint8Array;
      left -= bytes.length;
      yield bytes;
    }
  if (left !== 0) throw new EngineError('invalid', `Cannot pack ${path}: it changed while it was read`);
  yield padding(sizeBytes);
}

function padding(sizeBytes: number): Uint8Array {
  return new Uint8Array((BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

/** POSIX ustar; what doesn't fit goes ahead in a pax record. */
function header(member: Member): Uint8Array {
  const name = encoder.encode(member.name);
  const target = encoder.encode(member.target ?? '');
  const records: [string, string][] = [];
  if (name.length > 100) records.push(['path', member.name]);
  if (target.length > 100) records.push(['linkpath', member.target ?? '']);
  if (member.sizeBytes > MAX_USTAR_SIZE) records.push(['size', String(member.sizeBytes)]);
  const main = ustar({ ...member, flag: TYPE_FLAGS[member.type], nameBytes: name, targetBytes: target });
  if (records.length === 0) return main;
  const pax = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const extra = ustar({
    flag: 'x',
    nameBytes: encoder.encode('pax'),
    targetBytes: new Uint8Array(0),
    sizeBytes: pax.length,
  });
  return Buffer.concat([extra, pax, padding(pax.length), main]);
}

function ustar(
  fields: FileAttributes & {
    flag: string;
    nameBytes: Uint8Array;
    targetBytes: Uint8Array;
    sizeBytes: number;
  },
): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number) =>
    block.write(value.toString(8).padStart(digits, '0'), at);
  block.set(fields.nameBytes.subarray(0, 100), 0);
  octal(fields.mode ?? 0o644, 100, 7);
  octal(fields.uid ?? 0, 108, 7);
  octal(fields.gid ?? 0, 116, 7);
  octal(fields.sizeBytes > MAX_USTAR_SIZE ? 0 : fields.sizeBytes, 124, 11);
  octal(Math.max(0, Math.floor((fields.modified ?? new Date()).getTime() / 1000)), 136, 11);
  block.write('        ', 148);
  block.write(fields.flag, 156);
  block.set(fields.targetBytes.subarray(0, 100), 157);
  block.write('ustar\0' + '00', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** `LENGTH KEY=VALUE\n`, its own length counted. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = encoder.encode(` ${key}=${value}\n`);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([encoder.encode(String(length)), rest]);
}
