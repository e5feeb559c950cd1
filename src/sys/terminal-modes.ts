import { checked, libc } from './libc.ts';

// asm-generic/ioctls.h and termbits.h: the same on x86-64, arm64 and riscv64.
const TCGETS = 0x5401n;
const TCSETS = 0x5402n;
const TERMIOS_BYTES = 64;
const OUTPUT_FLAGS_OFFSET = 4;
const LOCAL_FLAGS_OFFSET = 12;
const OPOST = 0o1;
const ECHO = 0o10;

/**
 * Whether the terminal behind `fd` shows what is typed. Lines and Ctrl-C work on either way.
 *
 * @throws SyscallError when it is no terminal.
 */
export function setTerminalEcho(fd: number, echo: boolean): void {
  changeFlags(fd, LOCAL_FLAGS_OFFSET, (flags) => (echo ? flags | ECHO : flags & ~ECHO));
}

/**
 * The terminal behind `fd` shows what is written as it is written: a line's end is not made `\r\n`. What restores its modes undoes it.
 *
 * @throws SyscallError when it is no terminal.
 */
export function keepOutputAsItIs(fd: number): void {
  changeFlags(fd, OUTPUT_FLAGS_OFFSET, (flags) => flags & ~OPOST);
}

function changeFlags(fd: number, offset: number, change: (flags: number) => number): void {
  const settings = Buffer.alloc(TERMIOS_BYTES);
  checked(libc.ioctl(fd, TCGETS, settings), 'ioctl(TCGETS)', `read the terminal's settings of fd ${fd}`);
  settings.writeUInt32LE(change(settings.readUInt32LE(offset)) >>> 0, offset);
  checked(libc.ioctl(fd, TCSETS, settings), 'ioctl(TCSETS)', `change the terminal's settings of fd ${fd}`);
}
