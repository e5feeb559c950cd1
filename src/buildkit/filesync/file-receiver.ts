import { closeSync, ftruncateSync, linkSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { EngineError } from '../../errors/engine-error.ts';
import { fsPath } from '../../snapshots/node-attributes.ts';
import { fromGoFileMode } from './go-file-mode.ts';
import { decodePacket, encodePacket, type FileStat, type Packet } from './packet.ts';
import { applyAttributes, makeSpecial, type Owner, openToOverwrite, ROOT } from './received-node.ts';
import { SentOrder } from './sent-order.ts';

/** What is in the directory since the last transfer: what its sender told of each file, in its order, packet by packet. */
export type FileListing = readonly Uint8Array[];

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
const MAX_LISTING_BYTES = 1 << 30;
/** What a sender sends at once is far less: one file for each of its four threads. */
const MAX_OPEN_FILES = 64;
/** How `describe` begins for a file without xattrs. */
const BARE_FILE = 'file 0 ';
/** No file's time: what has it is asked for again. */
const NO_TIME = -1n;

interface Wanted {
  stat: FileStat;
  /** What it was is there still, to be written over. */
  isThere: boolean;
  fd: number | undefined;
  /** Whose the open file is. */
  owner: Owner;
  writtenBytes: bigint;
}

/**
 * The receiving side of a transfer of files (fsutil's protocol): the sender lists what it has, in order; what isn't here in the same state is asked
 * for, the rest is left as it is; what it doesn't list goes. Works synchronously, in a thread that may block.
 */
export class FileReceiver {
  readonly #options: FileReceiverOptions;
  readonly #listing: Uint8Array[] = [];
  /** Until something differs: nothing is looked at. */
  #isSame = true;
  /** From then on: what was told of each path last time. */
  readonly #present = new Map<string, string>();
  readonly #listed = new Set<string>();
  readonly #order = new SentOrder();
  readonly #wanted = new Map<number, Wanted>();
  readonly #directories: FileStat[] = [];
  readonly #hardLinks: FileStat[] = [];
  #nextId = 0;
  #openFiles = 0;
  #listedBytes = 0;
  #isListed = false;
  #isAsked = false;

  constructor(options: FileReceiverOptions) {
    this.#options = options;
  }

  /** What is there now. Good once `take` has said that it's done. */
  get listing(): FileListing {
    return this.#listing;
  }

  /** The directory is as it was before. Good once `take` has said that it's done. */
  get isUnchanged(): boolean {
    return this.#isSame;
  }

  /** Take the sender's next packet. True: that was the last. @throws EngineError "invalid"; the system's errors. */
  take(message: Uint8Array): boolean {
    if (this.#isSame && !this.#isListed && this.#repeats(message)) return false;
    const packet = decodePacket(message);
    switch (packet.type) {
      case 'stat':
        if (packet.stat === undefined) this.#endOfList();
        else this.#file(packet.stat, message);
        break;
      case 'data':
        this.#data(packet.id, packet.data);
        break;
      case 'error':
        throw new EngineError('invalid', `error from sender: ${packet.message}`);
      case 'finish':
        if (!this.#isAsked)
          throw new EngineError('invalid', 'Cannot receive files: their sender ended before all had come');
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

  /** Whether the sender tells what it told last time at this place: then what is there is good, and so is its place. */
  #repeats(message: Uint8Array): boolean {
    const before = this.#options.present[this.#nextId];
    if (before === undefined || Buffer.compare(before, message) !== 0) return false;
    this.#listing.push(before);
    this.#nextId++;
    return true;
  }

  /** From now on every file is looked at: what was passed over is caught up with. */
  #differ(): void {
    if (!this.#isSame) return;
    this.#isSame = false;
    for (const [at, packet] of this.#options.present.entries()) {
      const stat = statOf(packet);
      this.#present.set(stat.path, describe(stat));
      if (at >= this.#nextId) continue;
      const { type } = fromGoFileMode(stat.mode);
      this.#order.check(stat, type);
      this.#listed.add(stat.path);
      if (type === 'directory') this.#directories.push(stat);
      else if (type === 'file' && stat.linkname !== '') this.#hardLinks.push(stat);
    }
  }

  #file(stat: FileStat, message: Uint8Array): void {
    this.#differ();
    const id = this.#nextId++;
    if (this.#isListed) throw new EngineError('invalid', 'Cannot receive files: one came after the last');
    if (id >= MAX_FILES)
      throw new EngineError('invalid', `Cannot receive files: more than ${MAX_FILES}`, {
        code: 'size-exceeded',
      });
    this.#listedBytes += message.length;
    if (this.#listedBytes > MAX_LISTING_BYTES)
      throw new EngineError(
        'invalid',
        `Cannot receive files: their list is larger than ${MAX_LISTING_BYTES} bytes`,
        {
          code: 'size-exceeded',
        },
      );
    const { type } = fromGoFileMode(stat.mode);
    this.#order.check(stat, type);
    this.#listing.push(message.slice());
    this.#listed.add(stat.path);
    const before = this.#present.get(stat.path);
    const path = this.#place(stat.path);
    // What a socket was connected to isn't sent along.
    if (type === 'socket') {
      if (before !== undefined) rmSync(fsPath(path), { recursive: true, force: true });
      return;
    }
    const told = describe(stat);
    if (type === 'file' && stat.linkname !== '') {
      this.#hardLinks.push(stat);
      return;
    }
    if (type === 'directory') {
      this.#makeDirectory(stat, before);
      return;
    }
    if (before === told) return;
    const isThere = type === 'file' && before !== undefined && before.startsWith(BARE_FILE);
    if (before !== undefined && !isThere) rmSync(fsPath(path), { recursive: true, force: true });
    if (type === 'file') {
      this.#wanted.set(id, { stat, isThere, fd: undefined, owner: ROOT, writtenBytes: 0n });
      this.#send({ type: 'request', id });
      return;
    }
    makeSpecial(path, stat);
    applyAttributes(path, stat, ROOT);
  }

  #makeDirectory(stat: FileStat, before: string | undefined): void {
    const path = this.#place(stat.path);
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
    const path = this.#place(wanted.stat.path);
    const fd = wanted.fd ?? this.#open(wanted, path);
    for (let at = 0; at < data.length; ) at += writeSync(fd, data, at);
    wanted.writtenBytes += BigInt(data.length);
    if (data.length > 0) return;
    if (wanted.isThere) ftruncateSync(fd, Number(wanted.writtenBytes));
    closeSync(fd);
    this.#openFiles--;
    this.#wanted.delete(id);
    applyAttributes(path, wanted.stat, wanted.owner);
    // It changed while it was sent: what came is what the build gets, and the next one asks for it again.
    if (wanted.writtenBytes !== wanted.stat.sizeBytes) {
      const stat = { ...wanted.stat, mtimeNano: NO_TIME };
      this.#listing[id] = encodePacket({ type: 'stat', stat });
    }
  }

  #open(wanted: Wanted, path: string): number {
    if (this.#openFiles >= MAX_OPEN_FILES)
      throw new EngineError('invalid', 'Cannot receive files: too many come at once');
    const there = wanted.isThere ? openToOverwrite(path) : undefined;
    if (wanted.isThere && there === undefined) rmSync(fsPath(path), { recursive: true, force: true });
    wanted.isThere = there !== undefined;
    wanted.owner = there?.owner ?? ROOT;
    wanted.fd = there?.fd ?? openSync(fsPath(path), 'wx', 0o600);
    this.#openFiles++;
    return wanted.fd;
  }

  /** What is not listed any more goes. What was below something that is no directory any more went with it: a link may be in its place. */
  #endOfList(): void {
    this.#isListed = true;
    const { present } = this.#options;
    if (this.#nextId < present.length) this.#differ();
    const directories = new Set(['', ...this.#directories.map(({ path }) => path)]);
    for (const path of this.#present.keys()) {
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      if (!this.#listed.has(path) && directories.has(parent))
        rmSync(fsPath(this.#place(path)), { recursive: true, force: true });
    }
  }

  #complete(): void {
    this.#isAsked = true;
    for (const stat of this.#hardLinks) this.#link(stat);
    // Deepest first: what is made below changes a directory's time.
    for (const stat of this.#directories.reverse()) applyAttributes(this.#place(stat.path), stat, ROOT);
    this.#send({ type: 'finish' });
  }

  #link(stat: FileStat): void {
    const path = this.#place(stat.path);
    rmSync(fsPath(path), { recursive: true, force: true });
    linkSync(fsPath(this.#place(stat.linkname)), fsPath(path));
  }

  /** Bun's `join` loses bytes that are no UTF-8. Paths that got past `SentOrder` need no more than a slash. */
  #place(path: string): string {
    return `${this.#options.directory}/${path}`;
  }

  #send(packet: Packet): void {
    this.#options.send(encodePacket(packet));
  }
}

function statOf(packet: Uint8Array): FileStat {
  const decoded = decodePacket(packet);
  if (decoded.type !== 'stat' || decoded.stat === undefined)
    throw new EngineError('internal', 'Cannot read what a directory of files holds');
  return decoded.stat;
}

/** Everything that makes two states of a file differ, content aside. Its type comes first. */
function describe(stat: FileStat): string {
  const { mode, uid, gid, sizeBytes, mtimeNano, linkname, deviceMajor, deviceMinor } = stat;
  const { type } = fromGoFileMode(mode);
  const xattrs = [...stat.xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('base64')}`);
  // A directory's size is its file system's matter.
  const size = type === 'directory' ? 0 : sizeBytes;
  return [
    type,
    xattrs.length,
    mode,
    uid,
    gid,
    size,
    mtimeNano,
    deviceMajor,
    deviceMinor,
    linkname,
    ...xattrs.sort(),
  ].join(' ');
}
