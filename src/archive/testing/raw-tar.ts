/** Header fields by hand, for archives that no honest writer makes. Strings go in as latin1, numbers as octal. */
export interface RawHeader {
  name?: string | Uint8Array;
  mode?: number;
  uid?: string | Uint8Array;
  gid?: string | Uint8Array;
  size?: number | string | Uint8Array;
  mtime?: string | Uint8Array;
  type?: string;
  link?: string;
  /** `ustar\x0000`, GNU's `ustar  \0`, or '' for v7. */
  magic?: string;
  devMajor?: string;
  devMinor?: string;
  prefix?: string;
  /** Any bytes at any offset, before the checksum is made. */
  patch?: [offset: number, bytes: Uint8Array | string][];
}

export function rawHeader(header: RawHeader): Buffer {
  const block = Buffer.alloc(512);
  const put = (at: number, value: string | Uint8Array): void => {
    Buffer.from(typeof value === 'string' ? Buffer.from(value, 'latin1') : value).copy(block, at);
  };
  const size = header.size ?? 0;
  put(0, header.name ?? 'file');
  put(100, (header.mode ?? 0o644).toString(8).padStart(7, '0'));
  put(108, header.uid ?? '0000000');
  put(116, header.gid ?? '0000000');
  put(124, typeof size === 'number' ? size.toString(8).padStart(11, '0') : size);
  put(136, header.mtime ?? '00000000000');
  put(156, header.type ?? '0');
  put(157, header.link ?? '');
  put(257, header.magic ?? 'ustar\x0000');
  put(329, header.devMajor ?? '');
  put(337, header.devMinor ?? '');
  put(345, header.prefix ?? '');
  for (const [at, bytes] of header.patch ?? []) put(at, bytes);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** A header with its content and padding. */
export function rawMember(header: RawHeader, content: string | Uint8Array = ''): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : Buffer.from(content);
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  return Buffer.concat([rawHeader({ size: bytes.length, ...header }), bytes, padding]);
}

/** pax records as the spec has them: `length key=value\n`. */
export function paxRecords(records: readonly (readonly [string, string | Uint8Array])[]): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from('\n')]);
      let length = body.length;
      while (String(length).length + body.length !== length) length = String(length).length + body.length;
      return Buffer.concat([Buffer.from(String(length)), body]);
    }),
  );
}

/** A pax header member (`x` or `g`). */
export function paxMember(records: readonly (readonly [string, string | Uint8Array])[], type = 'x'): Buffer {
  return rawMember({ name: 'PaxHeaders/file', type }, paxRecords(records));
}

export function rawTar(...parts: Uint8Array[]): Buffer {
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}
