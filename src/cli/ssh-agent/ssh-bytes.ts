import { EngineError } from '../../errors/engine-error.ts';

/** Reads the data types of RFC 4251, section 5. @throws EngineError "invalid" where the bytes end early. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  byte(): number {
    return this.#take(1)[0] ?? 0;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  text(): string {
    return this.string().toString('utf8');
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length)
      throw new EngineError('invalid', 'ssh: the data ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

export function sshUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function sshString(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value as Uint8Array);
  return Buffer.concat([sshUint32(bytes.length), bytes]);
}

/** A number without leading zeros, and with one where its first bit is set. */
export function sshMpint(value: Uint8Array): Buffer {
  let from = 0;
  while (from < value.length && value[from] === 0) from++;
  const rest = value.subarray(from);
  const isHigh = ((rest[0] ?? 0) & 0x80) !== 0;
  return sshString(isHigh ? Buffer.concat([Buffer.alloc(1), rest]) : rest);
}
