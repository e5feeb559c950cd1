import { ptr } from 'bun:ffi';
import { errno } from './errno.ts';
import { lastErrno, libc } from './libc.ts';
import { closeFd, duplicateFd } from './pipe.ts';

const SYS_RECVMMSG = process.arch === 'arm64' ? 243n : 299n;
const MSG_DONTWAIT = 0x40n;
const MSG_TRUNC = 0x20;
/** struct mmsghdr: a msghdr of 56 bytes, the received length, four bytes of padding (64-bit Linux). */
const MMSGHDR_BYTES = 64;
const MSG_IOV_OFFSET = 16;
const MSG_IOVLEN_OFFSET = 24;
const MSG_FLAGS_OFFSET = 48;
const MSG_LEN_OFFSET = 56;
const IOVEC_BYTES = 16;
const PACKETS = 32;

/** What one look into the socket brought. */
export interface PacketBatch {
  packets: number;
  /** There may be more. */
  full: boolean;
  /** A packet was longer than was said, and is lost. */
  broken: boolean;
  /** The sender has left, and nothing of it is left. */
  ended: boolean;
}

/**
 * Takes many packets out of a packet socket with one call. A packet's first byte is its kind; what follows it in packets of one kind is handed
 * on in one piece. Owns an fd of its own on the socket: close it.
 */
export class PacketReader {
  readonly #fd: number;
  readonly #slotBytes: number;
  readonly #data: Buffer;
  readonly #kinds = Buffer.alloc(PACKETS);
  readonly #vectors: Buffer;
  readonly #headers: Buffer;
  #closed = false;

  /** `maxPacketBytes` counts the kind too. @throws SyscallError when there is no fd left. */
  constructor(fd: number, maxPacketBytes: number) {
    this.#fd = duplicateFd(fd);
    this.#slotBytes = maxPacketBytes - 1;
    this.#data = Buffer.allocUnsafeSlow(PACKETS * this.#slotBytes);
    this.#vectors = Buffer.alloc(PACKETS * 2 * IOVEC_BYTES);
    this.#headers = Buffer.alloc(PACKETS * MMSGHDR_BYTES);
    for (let at = 0; at < PACKETS; at++) this.#layOut(at);
  }

  #layOut(at: number): void {
    const vector = at * 2 * IOVEC_BYTES;
    this.#vectors.writeBigUInt64LE(BigInt(ptr(this.#kinds, at)), vector);
    this.#vectors.writeBigUInt64LE(1n, vector + 8);
    this.#vectors.writeBigUInt64LE(BigInt(ptr(this.#data, at * this.#slotBytes)), vector + IOVEC_BYTES);
    this.#vectors.writeBigUInt64LE(BigInt(this.#slotBytes), vector + IOVEC_BYTES + 8);
    const header = at * MMSGHDR_BYTES;
    this.#headers.writeBigUInt64LE(BigInt(ptr(this.#vectors, vector)), header + MSG_IOV_OFFSET);
    this.#headers.writeBigUInt64LE(2n, header + MSG_IOVLEN_OFFSET);
  }

  /** What there is, without waiting. The bytes given to `take` are its own. A failure of the socket reads as its end. */
  read(take: (kind: number, data: Uint8Array) => void): PacketBatch {
    if (this.#closed) return { packets: 0, full: false, broken: false, ended: false };
    const received = this.#receive();
    let packets = 0;
    // At the end of the connection every further one is empty.
    while (packets < received && this.#length(packets) > 0 && !this.#cut(packets)) packets++;
    for (let from = 0; from < packets; ) from = this.#handOn(from, packets, take);
    const broken = packets < received && this.#cut(packets);
    return { packets, full: packets === PACKETS, broken, ended: packets < received && !broken };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.#fd);
  }

  #receive(): number {
    for (;;) {
      const count = Number(
        libc.syscall(
          SYS_RECVMMSG,
          BigInt(this.#fd),
          BigInt(ptr(this.#headers)),
          BigInt(PACKETS),
          MSG_DONTWAIT,
          0n,
          0n,
        ),
      );
      if (count >= 0) return count;
      if (lastErrno() !== errno.EINTR) return 0;
    }
  }

  /** Packets of one kind, moved together. @returns The first that is of another. */
  #handOn(from: number, end: number, take: (kind: number, data: Uint8Array) => void): number {
    const kind = this.#kinds[from] ?? 0;
    const start = from * this.#slotBytes;
    let to = start;
    let at = from;
    for (; at < end && this.#kinds[at] === kind; at++) {
      const slot = at * this.#slotBytes;
      const length = this.#length(at) - 1;
      if (slot !== to) this.#data.copyWithin(to, slot, slot + length);
      to += length;
    }
    if (to > start) take(kind, copy(this.#data, start, to));
    return at;
  }

  #length(at: number): number {
    return this.#headers.readUInt32LE(at * MMSGHDR_BYTES + MSG_LEN_OFFSET);
  }

  #cut(at: number): boolean {
    return (this.#headers.readInt32LE(at * MMSGHDR_BYTES + MSG_FLAGS_OFFSET) & MSG_TRUNC) !== 0;
  }
}

function copy(from: Buffer, start: number, end: number): Uint8Array {
  return Uint8Array.prototype.slice.call(from, start, end);
}
