import { type ElfArchitecture, staticElf } from '../../sys/static-elf.ts';

/** What the program exits with when it is filtered: SECCOMP_MODE_FILTER (linux/seccomp.h). */
export const SECCOMP_MODE_FILTER = 2;

/**
 * A static ELF program that exits with its own seccomp mode (2 = filter): `exit(prctl(PR_GET_SECCOMP))`.
 *
 * Small enough to be written here, so that a runtime can be tried before there is any image.
 */
export function probeProgram(arch: NodeJS.Architecture): Uint8Array | undefined {
  if (arch !== 'x64' && arch !== 'arm64') return undefined;
  return staticElf(arch, Uint8Array.from(code[arch]));
}

const code: Record<ElfArchitecture, number[]> = {
  x64: [
    // mov edi, 21 (PR_GET_SECCOMP); mov eax, 157 (prctl); syscall
    0xbf, 21, 0, 0, 0, 0xb8, 157, 0, 0, 0, 0x0f, 0x05,
    // mov edi, eax; mov eax, 60 (exit); syscall
    0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05,
  ],
  // mov x0, #21; mov x8, #167 (prctl); svc #0; mov x8, #93 (exit); svc #0
  arm64: [0xd28002a0, 0xd28014e8, 0xd4000001, 0xd2800ba8, 0xd4000001].flatMap(littleEndian),
};

function littleEndian(word: number): number[] {
  return [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24];
}
