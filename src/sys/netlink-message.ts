/** Writes the body of a netlink message: fixed fields, then attributes. Host byte order is little-endian on all we run on. */
export class NetlinkWriter {
  #buffer = Buffer.alloc(512);
  #length = 0;

  u8(value: number): this {
    this.#buffer.writeUInt8(value, this.#take(1));
    return this;
  }

  u16(value: number): this {
    this.#buffer.writeUInt16LE(value, this.#take(2));
    return this;
  }

  u32(value: number): this {
    this.#buffer.writeUInt32LE(value >>> 0, this.#take(4));
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    this.u16(4 + value.length).u16(type);
    const at = this.#take(value.length);
    this.#buffer.set(value, at);
    return this.#align();
  }

  attributeU32(type: number, value: number): this {
    return this.u16(8).u16(type).u32(value);
  }

  /** NUL-terminated, as names are. */
  attributeText(type: number, text: string): this {
    return this.attribute(type, Buffer.from(`${text}\0`));
  }

  nest(type: number, write: (writer: this) => void): this {
    const start = this.#length;
    this.u16(0).u16(type);
    write(this);
    this.#buffer.writeUInt16LE(this.#length - start, start);
    return this;
  }

  /** The bytes so far; later writes don't change them. */
  bytes(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  #align(): this {
    this.#take((4 - (this.#length % 4)) % 4);
    return this;
  }

  #take(sizeBytes: number): number {
    const at = this.#length;
    this.#length += sizeBytes;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.alloc(this.#length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    return at;
  }
}

export interface NetlinkMessage {
  type: number;
  sequence: number;
  body: Buffer;
}

const HEADER_BYTES = 16;

export function encodeMessage(
  header: { type: number; flags: number; sequence: number },
  body: Uint8Array,
): Buffer {
  const message = Buffer.alloc(HEADER_BYTES + body.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(header.type, 4);
  message.writeUInt16LE(header.flags, 6);
  message.writeUInt32LE(header.sequence, 8);
  message.set(body, HEADER_BYTES);
  return message;
}

/** The messages in one datagram; a damaged length ends the reading. */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > datagram.length) break;
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + HEADER_BYTES, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

const TYPE_MASK = 0x3fff;

/** Attributes by type, after `offset` bytes of fixed fields. */
export function decodeAttributes(body: Buffer, offset = 0): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = offset; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at);
    if (length < 4 || at + length > body.length) break;
    attributes.set(body.readUInt16LE(at + 2) & TYPE_MASK, body.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return attributes;
}

export function attributeText(value: Buffer | undefined): string {
  return value === undefined ? '' : value.toString('utf8').replace(/\0+$/, '');
}
