/** One member, written as it stands: names may be hostile, sizes may lie. */
export interface TarMember {
  name: string;
  type?: '0' | '1' | '2' | '3' | '4' | '5' | '6' | 'x' | 'g' | 'L' | 'K';
  content?: Uint8Array | string;
  linkName?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  /** The size field, when it shall differ from the content; text is written as it is (base-256, garbage). */
  size?: number | Uint8Array;
  major?: number;
  minor?: number;
}

const encoder = new TextEncoder();

/** A ustar archive, deterministic, with its two closing blocks unless `open`. */
export function makeTar(members: readonly TarMember[], options: { open?: boolean } = {}): Uint8Array {
  const parts = members.flatMap((member) => {
    const content = bytesOf(member.content ?? '');
    return [header(member, content.length), content, new Uint8Array(-content.length & 511)];
  });
  return Buffer.concat(options.open === true ? parts : [...parts, new Uint8Array(1024)]);
}

/** A plain file member. */
export function file(name: string, content: Uint8Array | string, mode = 0o644): TarMember {
  return { name, content, mode };
}

export function directory(name: string, mode = 0o755): TarMember {
  return { name: name.endsWith('/') ? name : `${name}/`, type: '5', mode };
}

export function symlink(name: string, linkName: string): TarMember {
  return { name, type: '2', linkName, mode: 0o777 };
}

function header(member: TarMember, contentLength: number): Uint8Array {
  const block = new Uint8Array(512);
  const text = (at: number, length: number, value: string): void =>
    block.set(encoder.encode(value).subarray(0, length), at);
  const octal = (at: number, length: number, value: number): void =>
    text(at, length, `${value.toString(8).padStart(length - 1, '0')}\0`);
  text(0, 100, member.name);
  octal(100, 8, member.mode ?? 0o644);
  octal(108, 8, member.uid ?? 0);
  octal(116, 8, member.gid ?? 0);
  if (member.size instanceof Uint8Array) block.set(member.size.subarray(0, 12), 124);
  else octal(124, 12, member.size ?? contentLength);
  octal(136, 12, member.mtime ?? 1_700_000_000);
  text(156, 1, member.type ?? '0');
  text(157, 100, member.linkName ?? '');
  text(257, 8, 'ustar\x0000');
  octal(329, 8, member.major ?? 0);
  octal(337, 8, member.minor ?? 0);
  text(148, 8, '        ');
  octal(
    148,
    7,
    block.reduce((sum, byte) => sum + byte, 0),
  );
  return block;
}

function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === 'string' ? encoder.encode(content) : content;
}
