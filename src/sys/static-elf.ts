/** Machine code for the two architectures that images are made for here. */
export type ElfArchitecture = 'x64' | 'arm64';

/** First byte of what follows the headers, in memory. */
export const ELF_LOAD_ADDRESS = 0x400000n;
export const ELF_HEADERS_BYTES = 64 + 56;

const MACHINES: Record<ElfArchitecture, number> = { x64: 62, arm64: 183 };

/**
 * A static ELF executable of one segment: headers, then `body` (code first, data behind it), run from its first byte.
 *
 * What must run before there is any image or compiler (a probe, a greeting) is small enough to be written this way.
 */
export function staticElf(architecture: ElfArchitecture, body: Uint8Array): Uint8Array {
  const image = new Uint8Array(ELF_HEADERS_BYTES + body.length);
  const view = new DataView(image.buffer);
  for (const [index, byte] of [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].entries()) view.setUint8(index, byte);
  view.setUint16(16, 2, true);
  view.setUint16(18, MACHINES[architecture], true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, ELF_LOAD_ADDRESS + BigInt(ELF_HEADERS_BYTES), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  // The one segment: loadable, readable and executable, the whole file.
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(80, ELF_LOAD_ADDRESS, true);
  view.setBigUint64(88, ELF_LOAD_ADDRESS, true);
  view.setBigUint64(96, BigInt(image.length), true);
  view.setBigUint64(104, BigInt(image.length), true);
  view.setBigUint64(112, 0x1000n, true);
  image.set(body, ELF_HEADERS_BYTES);
  return image;
}
