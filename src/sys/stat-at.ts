import { ptr } from 'bun:ffi';
import { EngineError } from '../errors/engine-error.ts';
import { errno } from './errno.ts';
import { lastErrno, libc, SyscallError } from './libc.ts';

/** linux/stat.h */
const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const AT_EMPTY_PATH = 0x1000;
const STATX_BYTES = 256;
const MAX_NAME_BYTES = 255;

/** What statx(2) tells of a node. */
export interface FileStat {
  /** Type and permissions, as `st_mode`. */
  mode: number;
  links: number;
  /** As `st_dev`. */
  device: bigint;
  inode: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  /** Which mount it was seen on; as large for all where the kernel (before 5.8) does not say. */
  mountId: bigint;
}

/** Looks at nodes by descriptor and name: no path is walked, so nothing that is renamed meanwhile can lead anywhere. One per thread. */
export class StatReader {
  readonly #bytes = new Uint8Array(STATX_BYTES);
  readonly #words = new Uint32Array(this.#bytes.buffer);
  readonly #longs = new BigUint64Array(this.#bytes.buffer);
  readonly #signed = new BigInt64Array(this.#bytes.buffer);
  readonly #name = Buffer.alloc(MAX_NAME_BYTES + 1);
  readonly #into = ptr(this.#bytes);
  readonly #from = ptr(this.#name);
  #device = { major: 0, minor: 0, device: 0n };

  /** What stands under `name` in the directory `fd`; a link isn't followed. Undefined: nothing. @throws SyscallError. */
  at(fd: number, name: Uint8Array): FileStat | undefined {
    if (name.length === 0 || name.length > MAX_NAME_BYTES || name.includes(0) || name.includes(SLASH))
      throw new EngineError('invalid', `No name of a file: ${JSON.stringify(Buffer.from(name).toString())}`);
    return this.#statx(fd, name);
  }

  /** The open file itself. @throws SyscallError. */
  of(fd: number): FileStat {
    const found = this.#statx(fd, NO_NAME);
    if (found === undefined) throw new EngineError('internal', `Cannot look at descriptor ${fd}`);
    return found;
  }

  #statx(fd: number, name: Uint8Array): FileStat | undefined {
    this.#name.set(name);
    this.#name[name.length] = 0;
    const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.length === 0 ? AT_EMPTY_PATH : 0);
    const failed = libc.statx(fd, this.#from, flags, STATX_BASIC_STATS | STATX_MNT_ID, this.#into);
    if (failed !== 0) {
      const number = lastErrno();
      if (number === errno.ENOENT) return undefined;
      throw new SyscallError('statx', number, `look at ${JSON.stringify(Buffer.from(name).toString())}`);
    }
    return this.#read();
  }

  /** glibc's makedev; nearly always the same one. */
  #deviceOf(major: number, minor: number): bigint {
    const last = this.#device;
    if (last.major === major && last.minor === minor) return last.device;
    const [high, low] = [BigInt(major), BigInt(minor)];
    const device =
      ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
    this.#device = { major, minor, device };
    return device;
  }

  /** struct statx, by its offsets. */
  #read(): FileStat {
    const [words, longs, signed] = [this.#words, this.#longs, this.#signed];
    return {
      mode: (words[28 / 4] ?? 0) & 0xffff,
      links: words[16 / 4] ?? 0,
      device: this.#deviceOf(words[136 / 4] ?? 0, words[140 / 4] ?? 0),
      inode: longs[32 / 8] ?? 0n,
      size: longs[40 / 8] ?? 0n,
      ctimeNs: (signed[96 / 8] ?? 0n) * 1_000_000_000n + BigInt(words[104 / 4] ?? 0),
      mtimeNs: (signed[112 / 8] ?? 0n) * 1_000_000_000n + BigInt(words[120 / 4] ?? 0),
      mountId: ((words[0] ?? 0) & STATX_MNT_ID) === 0 ? 0n : (longs[144 / 8] ?? 0n),
    };
  }
}

const NO_NAME = new Uint8Array(0);
const SLASH = 0x2f;
