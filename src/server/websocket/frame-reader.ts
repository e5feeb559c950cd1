import { EngineError } from '../../errors/engine-error.ts';

/** RFC 6455, 5.2. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const MAX_CONTROL_BYTES = 125;

/** What a client's frames bring, in order: pieces of data as they come, and control frames whole. */
export type FramePart = { kind: 'data'; data: Buffer } | { kind: 'close' | 'ping' | 'pong'; data: Buffer };

interface Frame {
  opcode: number;
  mask: Buffer;
  /** Bytes still to come, and those that have. */
  left: number;
  seen: number;
}

/** Takes a client's frames apart (RFC 6455). Holds a header and a control frame at most: data goes on in the pieces in which it comes. */
export class FrameReader {
  #buffer: Buffer = Buffer.alloc(0);
  #frame: Frame | undefined;
  #control: Buffer[] = [];
  /** A message is under way, of which more frames will come. */
  #fragmented = false;

  /** @throws EngineError "invalid" for what no client may send. */
  *take(chunk: Uint8Array): Generator<FramePart> {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      this.#frame ??= this.#header();
      const frame = this.#frame;
      if (frame === undefined) return;
      if (frame.left > 0 && this.#buffer.length === 0) return;
      const data = this.#unmasked(frame);
      const done = frame.left === 0;
      if (done) this.#frame = undefined;
      if (frame.opcode < opcodes.close) {
        if (data.length > 0) yield { kind: 'data', data };
        continue;
      }
      this.#control.push(data);
      if (!done) continue;
      const kind = frame.opcode === opcodes.close ? 'close' : frame.opcode === opcodes.ping ? 'ping' : 'pong';
      yield { kind, data: Buffer.concat(this.#control.splice(0)) };
    }
  }

  /** Undefined while it is not whole. */
  #header(): Frame | undefined {
    const buffer = this.#buffer;
    if (buffer.length < 2) return undefined;
    const [first = 0, second = 0] = buffer;
    const [opcode, short] = [first & 0x0f, second & 0x7f];
    this.#check({
      final: (first & 0x80) !== 0,
      reserved: first & 0x70,
      opcode,
      masked: (second & 0x80) !== 0,
      short,
    });
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const size = 2 + lengthBytes + 4;
    if (buffer.length < size) return undefined;
    const long = lengthBytes === 8 ? buffer.readBigUInt64BE(2) : 0n;
    if (long > BigInt(Number.MAX_SAFE_INTEGER)) throw violation('a frame is too long');
    const left = lengthBytes === 0 ? short : lengthBytes === 2 ? buffer.readUInt16BE(2) : Number(long);
    if (opcode < opcodes.close) this.#fragmented = (first & 0x80) === 0;
    this.#buffer = buffer.subarray(size);
    return { opcode, mask: buffer.subarray(size - 4, size), left, seen: 0 };
  }

  #check(head: { final: boolean; reserved: number; opcode: number; masked: boolean; short: number }): void {
    const { final, reserved, opcode, masked, short } = head;
    if (reserved !== 0) throw violation('reserved bits are set');
    if (!masked) throw violation('a frame is not masked');
    const isControl = opcode >= opcodes.close;
    if (opcode > opcodes.pong || (opcode > opcodes.binary && !isControl))
      throw violation(`unknown opcode ${opcode}`);
    if (isControl && (!final || short > MAX_CONTROL_BYTES)) throw violation('a control frame is too long');
    if (!isControl && (opcode === opcodes.continuation) !== this.#fragmented)
      throw violation('a message begins within another, or goes on that has not begun');
  }

  #unmasked(frame: Frame): Buffer {
    const length = Math.min(frame.left, this.#buffer.length);
    const data = Buffer.from(this.#buffer.subarray(0, length));
    for (let at = 0; at < length; at++) data[at] = (data[at] ?? 0) ^ (frame.mask[(frame.seen + at) % 4] ?? 0);
    this.#buffer = this.#buffer.subarray(length);
    frame.seen += length;
    frame.left -= length;
    return data;
  }
}

/** A server's frame, whole and unmasked. */
export function encodeWebSocketFrame(opcode: number, data: Uint8Array): Buffer {
  const length = data.length;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (length < 126) head[1] = length;
  else if (length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, data]);
}

function violation(what: string): EngineError {
  return new EngineError('invalid', `WebSocket: ${what}`);
}
