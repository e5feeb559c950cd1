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
const MASK = STATX_BASIC_STATS | STATX_MNT_ID;
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
  readonly #name = Buffer.alloc(3 * MAX_NAME_BYTES + 1);
  readonly #into = ptr(this.#bytes);
  readonly #from = ptr(this.#name);
  #device = { major: 0, minor: 0, device: 0n };

  /** What stands under `name` (bytes where it isn't Unicode) in the directory `fd`; a link isn't followed. Undefined: nothing. @throws SyscallError. */
  at(fd: number, name: string | Uint8Array): FileStat | undefined {
    const length = this.#setName(name);
    if (length === 0) throw new EngineError('invalid', `No name of a file: ${JSON.stringify(String(name))}`);
    this.#name[length] = 0;
    const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    if (libc.statx(fd, this.#from, flags, MASK, this.#into) === 0) return this.#read();
    const number = lastErrno();
    if (number === errno.ENOENT) return undefined;
    throw new SyscallError('statx', number, `look at ${JSON.stringify(String(name))}`);
  }

  /** The open file itself. @throws SyscallError. */
  of(fd: number): FileStat {
    this.#name[0] = 0;
    if (libc.statx(fd, this.#from, AT_EMPTY_PATH, MASK, this.#into) === 0) return this.#read();
    throw new SyscallError('statx', lastErrno(), `look at descriptor ${fd}`);
  }

  /** 0 for what is no name. */
  #setName(name: string | Uint8Array): number {
    if (name.length > MAX_NAME_BYTES) return 0;
    if (typeof name === 'string') {
      if (name.includes('/') || name.includes('\0')) return 0;
      const length = this.#name.write(name, 'utf8');
      return length > MAX_NAME_BYTES ? 0 : length;
    }
    if (name.includes(SLASH) || name.includes(0)) return 0;
    this.#name.set(name);
    return name.length;
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

const SLASH = 0x2f;
