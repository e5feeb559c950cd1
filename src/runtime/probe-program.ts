/** What the program exits with when it is filtered: SECCOMP_MODE_FILTER (linux/seccomp.h). */
export const SECCOMP_MODE_FILTER = 2;

/**
 * A static ELF program that exits with its own seccomp mode (2 = filter): `exit(prctl(PR_GET_SECCOMP))`.
 *
 * Small enough to be written here, so that a runtime can be tried before there is any image.
 */
export function probeProgram(arch: NodeJS.Architecture): Uint8Array | undefined {
  const target = targets[arch];
  if (target === undefined) return undefined;
  const code = Uint8Array.from(target.code);
  const image = new Uint8Array(HEADERS_BYTES + code.length);
  writeHeaders(new DataView(image.buffer), target.machine, image.length);
  image.set(code, HEADERS_BYTES);
  return image;
}

const HEADERS_BYTES = 64 + 56;
const LOAD_ADDRESS = 0x400000n;

const targets: Partial<Record<NodeJS.Architecture, { machine: number; code: number[] }>> = {
  x64: {
    machine: 62,
    code: [
      // mov edi, 21 (PR_GET_SECCOMP); mov eax, 157 (prctl); syscall
      0xbf, 21, 0, 0, 0, 0xb8, 157, 0, 0, 0, 0x0f, 0x05,
      // mov edi, eax; mov eax, 60 (exit); syscall
      0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05,
    ],
  },
  arm64: {
    machine: 183,
    // mov x0, #21; mov x8, #167 (prctl); svc #0; mov x8, #93 (exit); svc #0
    code: [0xd28002a0, 0xd28014e8, 0xd4000001, 0xd2800ba8, 0xd4000001].flatMap(littleEndian),
  },
};

function writeHeaders(view: DataView, machine: number, sizeBytes: number): void {
  for (const [index, byte] of [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].entries()) view.setUint8(index, byte);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, LOAD_ADDRESS + BigInt(HEADERS_BYTES), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  // The one segment: loadable, readable and executable, the whole file.
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(80, LOAD_ADDRESS, true);
  view.setBigUint64(88, LOAD_ADDRESS, true);
  view.setBigUint64(96, BigInt(sizeBytes), true);
  view.setBigUint64(104, BigInt(sizeBytes), true);
  view.setBigUint64(112, 0x1000n, true);
}

function littleEndian(word: number): number[] {
  return [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24];
}
