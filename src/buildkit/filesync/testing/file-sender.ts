import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { comparePathBytes } from '../../../archive/path-bytes.ts';
import { toGoFileMode } from '../go-file-mode.ts';
import { decodePacket, encodePacket, type FileStat, type Packet } from '../packet.ts';

/** The sending side, as a client of BuildKit does it, from a directory. `answer` gives what a packet of the receiver's brings about. */
export class FileSender {
  readonly #directory: string;
  readonly #files = new Map<number, string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The listing, and its end. */
  listing(): Packet[] {
    const packets: Packet[] = [];
    const inodes = new Map<bigint, string>();
    const walk = (below: string): void => {
      const names = readdirSync(join(this.#directory, below)).sort(comparePathBytes);
      for (const name of names) {
        const stat = statOf(this.#directory, below === '' ? name : `${below}/${name}`, inodes);
        this.#files.set(packets.length, stat.path);
        packets.push({ type: 'stat', stat });
        if (lstatSync(join(this.#directory, stat.path)).isDirectory()) walk(stat.path);
      }
    };
    walk('');
    return [...packets, { type: 'stat', stat: undefined }];
  }

  answer(message: Uint8Array): Uint8Array[] {
    const packet = decodePacket(message);
    if (packet.type === 'finish') return [encodePacket(packet)];
    if (packet.type !== 'request') return [];
    const content = readFileSync(join(this.#directory, this.#files.get(packet.id) ?? ''));
    const parts: Uint8Array[] = [];
    for (let at = 0; at < content.length; at += 32_768) parts.push(content.subarray(at, at + 32_768));
    return [...parts, new Uint8Array()].map((data) => encodePacket({ type: 'data', id: packet.id, data }));
  }
}

function statOf(directory: string, path: string, inodes: Map<bigint, string>): FileStat {
  const stat = lstatSync(join(directory, path), { bigint: true });
  const type = stat.isDirectory()
    ? 'directory'
    : stat.isSymbolicLink()
      ? 'symlink'
      : stat.isFIFO()
        ? 'fifo'
        : 'file';
  const first = type === 'file' && stat.nlink > 1n ? inodes.get(stat.ino) : undefined;
  inodes.set(stat.ino, first ?? path);
  return {
    path,
    mode: toGoFileMode(type, Number(stat.mode & 0o7777n)),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    sizeBytes: stat.size,
    mtimeNano: stat.mtimeNs,
    linkname: type === 'symlink' ? readlinkSync(join(directory, path)) : (first ?? ''),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
  };
}
