import { EngineError } from '../../errors/engine-error.ts';

/** A member of a tar, its content to be read before the next one is asked for; what isn't read is skipped. */
export interface TarMember {
  name: string;
  type: 'file' | 'folder' | 'link' | 'hard-link' | 'other';
  mode: number;
  sizeBytes: number;
  /** Of links. */
  target: string;
  content(): AsyncGenerator<Uint8Array, void, undefined>;
}

const BLOCK = 512;
const MAX_EXTRA_BYTES = 1024 * 1024;
const TYPES: Readonly<Record<string, TarMember['type']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hard-link',
  '2': 'link',
  '5': 'folder',
};

/** @throws EngineError "invalid" with a code on what is no tar, or ends too early. */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<TarMember, void, undefined> {
  const source = new ByteSource(chunks);
  let extra: Record<string, string> = {};
  try {
    for (;;) {
      const block = await source.take(BLOCK, { mayEnd: true });
      if (block === undefined || block.every((byte) => byte === 0)) return;
      const head = decodeHeader(block);
      if ('xgLK'.includes(head.flag)) {
        const text = await extraText(source, head.sizeBytes);
        if (head.flag === 'x') extra = { ...extra, ...paxRecords(text) };
        else if (head.flag !== 'g')
          extra[head.flag === 'L' ? 'path' : 'linkpath'] = text.replace(/\0.*$/s, '');
        continue;
      }
      const sizeBytes = extra['size'] === undefined ? head.sizeBytes : decimal(extra['size']);
      const type = TYPES[head.flag] ?? 'other';
      const body = new MemberBody(source, type === 'file' || type === 'other' ? sizeBytes : 0);
      yield {
        name: extra['path'] ?? head.name,
        target: extra['linkpath'] ?? head.target,
        type,
        mode: head.mode,
        sizeBytes,
        content: () => body.read(),
      };
      await body.skip();
      extra = {};
    }
  } finally {
    await source.close();
  }
}

/** The content of a tar's only member, a file. */
export async function readTarFile(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  maxBytes = 64 * 1024 * 1024,
): Promise<Uint8Array> {
  for await (const member of readTar(chunks)) {
    if (member.type !== 'file')
      throw new EngineError('invalid', `Cannot read ${path}: it is no regular file`);
    if (member.sizeBytes > maxBytes)
      throw new EngineError('invalid', `Cannot read ${path}: it is more than ${maxBytes} bytes`, {
        code: 'size-exceeded',
      });
    const parts: Uint8Array[] = [];
    for await (const part of member.content()) parts.push(part);
    return Buffer.concat(parts);
  }
  throw truncated();
}

class MemberBody {
  readonly #source: ByteSource;
  readonly #paddingBytes: number;
  #left: number;

  constructor(source: ByteSource, sizeBytes: number) {
    this.#source = source;
    this.#left = sizeBytes;
    this.#paddingBytes = (BLOCK - (sizeBytes % BLOCK)) % BLOCK;
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#left > 0) {
      const part = await this.#source.some(this.#left);
      this.#left -= part.length;
      yield part;
    }
  }

  async skip(): Promise<void> {
    for await (const _ of this.read());
    if (this.#paddingBytes > 0) await this.#source.take(this.#paddingBytes);
  }
}

class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** From one to `maxBytes` bytes. */
  async some(maxBytes: number): Promise<Uint8Array> {
    if (!(await this.#fill())) throw truncated();
    const part = this.#rest.subarray(0, maxBytes);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  async take(sizeBytes: number): Promise<Uint8Array>;
  async take(sizeBytes: number, options: { mayEnd: true }): Promise<Uint8Array | undefined>;
  async take(sizeBytes: number, options?: { mayEnd: true }): Promise<Uint8Array | undefined> {
    if (options?.mayEnd === true && !(await this.#fill())) return undefined;
    const parts: Uint8Array[] = [];
    for (let left = sizeBytes; left > 0; ) {
      const part = await this.some(left);
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      this.#rest = next.value;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

interface Header {
  name: string;
  target: string;
  mode: number;
  sizeBytes: number;
  flag: string;
}

function decodeHeader(block: Uint8Array): Header {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length);
  const text = (start: number, end: number) => bytes.toString('utf8', start, end).replace(/\0.*$/s, '');
  const sum = bytes.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (octal(text(148, 156)) !== sum)
    throw new EngineError('invalid', 'The archive is no tar', { code: 'archive-hostile' });
  const prefix = text(257, 263) === 'ustar' ? text(345, 500) : '';
  const name = text(0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    target: text(157, 257),
    mode: octal(text(100, 108)) & 0o7777,
    sizeBytes: (bytes[124] ?? 0) >= 0x80 ? binarySize(bytes.subarray(124, 136)) : octal(text(124, 136)),
    flag: String.fromCharCode(bytes[156] ?? 0),
  };
}

function octal(text: string): number {
  const digits = text.trim();
  if (!/^[0-7]*$/.test(digits))
    throw new EngineError('invalid', 'The archive is no tar', { code: 'archive-hostile' });
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** GNU's numbers beyond eleven octal digits. */
function binarySize(field: Buffer): number {
  const size = field.subarray(1).reduce((total, byte) => total * 256 + byte, (field[0] ?? 0) & 0x7f);
  return checked(size);
}

function decimal(text: string): number {
  return checked(/^\d{1,16}$/.test(text) ? Number(text) : Number.NaN);
}

function checked(size: number): number {
  if (!Number.isSafeInteger(size))
    throw new EngineError('invalid', 'The archive has a member of no possible size', {
      code: 'archive-hostile',
    });
  return size;
}

async function extraText(source: ByteSource, sizeBytes: number): Promise<string> {
  if (sizeBytes > MAX_EXTRA_BYTES)
    throw new EngineError('invalid', 'The archive has a header that is too long', { code: 'size-exceeded' });
  const body = new MemberBody(source, sizeBytes);
  const parts: Uint8Array[] = [];
  for await (const part of body.read()) parts.push(part);
  await body.skip();
  return Buffer.concat(parts).toString('utf8');
}

/** `LENGTH KEY=VALUE\n` each; lengths count bytes, so values with line breaks are whole. */
function paxRecords(text: string): Record<string, string> {
  const bytes = Buffer.from(text);
  const records: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = decimal(bytes.toString('latin1', at, Math.max(at, space)));
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    if (space < 0 || at + length > bytes.length || length <= space - at || equals < 0)
      throw new EngineError('invalid', 'The archive has a broken header', { code: 'archive-hostile' });
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

function truncated(): EngineError {
  return new EngineError('invalid', 'The archive ends too early', { code: 'archive-truncated' });
}
