/** A member in old GNU form (type `S`): up to four segments in its header. */
export interface SparseMember {
  path: string;
  realSize: number;
  segments: { offset: number; data: string }[];
}

export function gnuSparseTar(members: readonly SparseMember[]): Uint8Array {
  return Buffer.concat([...members.map(sparseMember), Buffer.alloc(1024)]);
}

function sparseMember({ path, realSize, segments }: SparseMember): Buffer {
  const data = Buffer.from(segments.map((segment) => segment.data).join(''));
  const header = Buffer.alloc(512);
  header.write(path, 0);
  header.write('0000644\0', 100);
  header.write('0000000\x000000000\0', 108);
  header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('14523000000\0', 136);
  header.write('S', 156);
  header.write('ustar  \0', 257);
  segments.forEach((segment, i) => {
    number(header, 386 + 24 * i, segment.offset);
    number(header, 398 + 24 * i, segment.data.length);
  });
  number(header, 483, realSize);
  header.write('        ', 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

/** Octal, or GNU's binary form for what does not fit. */
function number(header: Buffer, at: number, value: number): void {
  if (value < 8 ** 11) header.write(`${value.toString(8).padStart(11, '0')}\0`, at);
  else {
    header[at] = 0x80;
    header.writeBigUInt64BE(BigInt(value), at + 4);
  }
}
