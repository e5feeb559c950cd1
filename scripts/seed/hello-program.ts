import {
  ELF_HEADERS_BYTES,
  ELF_LOAD_ADDRESS,
  type ElfArchitecture,
  staticElf,
} from '../../src/sys/static-elf.ts';

/** A static program that writes `text` to its standard output and exits with 0. */
export function helloProgram(architecture: ElfArchitecture, text: string): Uint8Array {
  const data = new TextEncoder().encode(text);
  const code = architecture === 'x64' ? codeForX64(data.length) : codeForArm64(data.length);
  const body = new Uint8Array(code.length + data.length);
  body.set(code);
  body.set(data, code.length);
  return staticElf(architecture, body);
}

/** write(1, text, length); exit(0) */
function codeForX64(length: number): Uint8Array {
  const code = new Uint8Array(34);
  const view = new DataView(code.buffer);
  // mov eax, 1; mov edi, 1; mov esi, address; mov edx, length; syscall
  code.set([0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0xbe]);
  view.setUint32(11, Number(ELF_LOAD_ADDRESS) + ELF_HEADERS_BYTES + code.length, true);
  code.set([0xba], 15);
  view.setUint32(16, length, true);
  code.set([0x0f, 0x05], 20);
  // mov eax, 60; xor edi, edi; syscall
  code.set([0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05], 22);
  // ud2 is never reached; it keeps the data behind an even boundary.
  code.set([0x0f, 0x0b, 0x90], 31);
  return code;
}

function codeForArm64(length: number): Uint8Array {
  const address = Number(ELF_LOAD_ADDRESS) + ELF_HEADERS_BYTES + 40;
  const words = [
    moveWide(0, 1),
    moveWide(1, address & 0xffff),
    moveKeep(1, address >>> 16),
    moveWide(2, length),
    moveWide(8, 64),
    0xd4000001,
    moveWide(0, 0),
    moveWide(8, 93),
    0xd4000001,
    0xd503201f,
  ];
  const code = new Uint8Array(words.length * 4);
  for (const [index, word] of words.entries()) new DataView(code.buffer).setUint32(index * 4, word, true);
  return code;
}

/** movz xN, #value */
function moveWide(register: number, value: number): number {
  return (0xd2800000 | (value << 5) | register) >>> 0;
}

/** movk xN, #value, lsl #16 */
function moveKeep(register: number, value: number): number {
  return (0xf2a00000 | (value << 5) | register) >>> 0;
}
