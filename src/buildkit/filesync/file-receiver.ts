import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { fsPath, makeDevice, makeFifo, setTimes, setXattr } from '../../snapshots/node-attributes.ts';
import { fromGoFileMode } from './go-file-mode.ts';
import { decodePacket, encodePacket, type FileStat, type Packet } from './packet.ts';
import { SentOrder } from './sent-order.ts';

/** What is in the directory since the last transfer: each path with all that its sender told of it, as one text to compare. */
export type FileListing = Map<string, string>;

export interface FileReceiverOptions {
  /** Nobody else's while files are received. */
  directory: string;
  /** What is there already, whole and as told. */
  present: FileListing;
  /** Send a packet to the one who has the files. */
  send: (packet: Uint8Array) => void;
}

/** More names than a context should have; each costs memory here. */
const MAX_FILES = 5_000_000;
/** What a sender sends at once is far less: one file for each of its four threads. */
const MAX_OPEN_FILES = 64;

interface Wanted {
  stat: FileStat;
  fd: number | undefined;
  writtenBytes: bigint;
}

/**
 * The receiving side of a transfer of files (fsutil's protocol): the sender lists what it has, in order; what isn't here in the same state is asked
 * for, the rest is left as it is; what it doesn't list goes. Works synchronously, in a thread that may block.
 */
export class FileReceiver {
  readonly #options: FileReceiverOptions;
  readonly #listing: FileListing = new Map();
  readonly #order = new SentOrder();
  readonly #wanted = new Map<number, Wanted>();
  readonly #directories: FileStat[] = [];
  readonly #hardLinks: FileStat[] = [];
  #nextId = 0;
  #openFiles = 0;
  #isListed = false;
  #isAsked = false;

  constructor(options: FileReceiverOptions) {
    this.#options = options;
  }

  /** What is there now. Good once `take` has said that it's done. */
  get listing(): FileListing {
    return this.#listing;
  }

  /** Take the sender's next packet. True: that was the last. @throws EngineError "invalid"; the system's errors. */
  take(message: Uint8Array): boolean {
    const packet = decodePacket(message);
    switch (packet.type) {
      case 'stat':
        if (packet.stat === undefined) this.#listed();
        else this.#file(packet.stat);
        break;
      case 'data':
        this.#data(packet.id, packet.data);
        break;
      case 'error':
        throw new EngineError('invalid', `error from sender: ${packet.message}`);
      case 'finish':
        return true;
      case 'request':
        throw new EngineError('invalid', 'Cannot receive files: their sender asks for some');
    }
    if (this.#isListed && this.#wanted.size === 0 && !this.#isAsked) this.#complete();
    return false;
  }

  /** Let go of what is open. */
  close(): void {
    for (const { fd } of this.#wanted.values()) if (fd !== undefined) closeSync(fd);
    this.#wanted.clear();
  }

  #file(stat: FileStat): void {
    const id = this.#nextId++;
    if (this.#isListed) throw new EngineError('invalid', 'Cannot receive files: one came after the last');
    if (id >= MAX_FILES)
      throw new EngineError('invalid', `Cannot receive files: more than ${MAX_FILES}`, {
        code: 'size-exceeded',
      });
    const { type } = fromGoFileMode(stat.mode);
    this.#order.check(stat, type);
    // What a socket was connected to isn't sent along.
    if (type === 'socket') return;
    const { directory, present } = this.#options;
    const told = describe(stat);
    const before = present.get(stat.path);
    this.#listing.set(stat.path, told);
    const path = join(directory, stat.path);
    if (type === 'file' && stat.linkname !== '') {
      this.#hardLinks.push(stat);
      return;
    }
    if (type === 'directory') {
      this.#makeDirectory(stat, before);
      return;
    }
    if (before === told) return;
    if (before !== undefined) rmSync(fsPath(path), { recursive: true, force: true });
    if (type === 'file') {
      this.#wanted.set(id, { stat, fd: undefined, writtenBytes: 0n });
      this.#send({ type: 'request', id });
      return;
    }
    makeSpecial(path, stat);
    applyAttributes(path, stat);
  }

  #makeDirectory(stat: FileStat, before: string | undefined): void {
    const path = join(this.#options.directory, stat.path);
    const isThere = before !== undefined && before.startsWith('directory');
    if (!isThere) {
      if (before !== undefined) rmSync(fsPath(path), { force: true });
      mkdirSync(fsPath(path), { mode: 0o700 });
    }
    this.#directories.push(stat);
  }

  #data(id: number, data: Uint8Array): void {
    const wanted = this.#wanted.get(id);
    if (wanted === undefined)
      throw new EngineError('invalid', `Cannot receive files: content of ${id}, which was not asked for`);
    const path = join(this.#options.directory, wanted.stat.path);
    if (wanted.fd === undefined) {
      if (this.#openFiles >= MAX_OPEN_FILES)
        throw new EngineError('invalid', 'Cannot receive files: too many come at once');
      wanted.fd = openSync(fsPath(path), 'wx', 0o600);
      this.#openFiles++;
    }
    for (let at = 0; at < data.length; ) at += writeSync(wanted.fd, data, at);
    wanted.writtenBytes += BigInt(data.length);
    if (data.length > 0) return;
    closeSync(wanted.fd);
    this.#openFiles--;
    this.#wanted.delete(id);
    applyAttributes(path, wanted.stat);
    // It changed while it was sent: what came is what the build gets, and the next one asks for it again.
    if (wanted.writtenBytes !== wanted.stat.sizeBytes)
      this.#listing.set(wanted.stat.path, 'file, changed while sent');
  }

  /** What is not listed any more goes. */
  #listed(): void {
    this.#isListed = true;
    const { directory, present } = this.#options;
    for (const path of present.keys())
      if (!this.#listing.has(path)) rmSync(fsPath(join(directory, path)), { recursive: true, force: true });
  }

  #complete(): void {
    this.#isAsked = true;
    for (const stat of this.#hardLinks) this.#link(stat);
    // Deepest first: what is made below changes a directory's time.
    for (const stat of this.#directories.reverse())
      applyAttributes(join(this.#options.directory, stat.path), stat);
    this.#send({ type: 'finish' });
  }

  #link(stat: FileStat): void {
    const { directory } = this.#options;
    const path = join(directory, stat.path);
    rmSync(fsPath(path), { recursive: true, force: true });
    linkSync(fsPath(join(directory, stat.linkname)), fsPath(path));
  }

  #send(packet: Packet): void {
    this.#options.send(encodePacket(packet));
  }
}

/** Everything that makes two states of a file differ, content aside. Its type comes first. */
function describe(stat: FileStat): string {
  const { mode, uid, gid, sizeBytes, mtimeNano, linkname, deviceMajor, deviceMinor } = stat;
  const { type } = fromGoFileMode(mode);
  const xattrs = [...stat.xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('base64')}`);
  // A directory's size is its file system's matter.
  const size = type === 'directory' ? 0 : sizeBytes;
  return [type, mode, uid, gid, size, mtimeNano, deviceMajor, deviceMinor, linkname, ...xattrs.sort()].join(
    ' ',
  );
}

function makeSpecial(path: string, stat: FileStat): void {
  const { type } = fromGoFileMode(stat.mode);
  const { deviceMajor: major, deviceMinor: minor } = stat;
  if (type === 'symlink') symlinkSync(fsPath(stat.linkname), fsPath(path));
  else if (type === 'fifo') makeFifo(path, 0o600);
  else if (type === 'char' || type === 'block') makeDevice(path, { type, mode: 0o600, major, minor });
}

/** Owner, mode, xattrs, times, in the order in which none undoes another. */
function applyAttributes(path: string, stat: FileStat): void {
  const { type, permissions } = fromGoFileMode(stat.mode);
  if (stat.uid !== 0 || stat.gid !== 0 || type === 'directory') lchownSync(fsPath(path), stat.uid, stat.gid);
  if (type !== 'symlink') chmodSync(fsPath(path), permissions);
  for (const [name, value] of stat.xattrs)
    if (!name.startsWith('trusted.overlay.')) setXattr(path, name, value);
  const nanoseconds = ((stat.mtimeNano % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  setTimes(path, Number((stat.mtimeNano - nanoseconds) / 1_000_000_000n), Number(nanoseconds));
}
