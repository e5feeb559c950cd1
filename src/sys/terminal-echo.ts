import { checked, libc } from './libc.ts';

// asm-generic/ioctls.h and termbits.h: the same on x86-64, arm64 and riscv64.
const TCGETS = 0x5401n;
const TCSETS = 0x5402n;
const TERMIOS_BYTES = 64;
const LOCAL_FLAGS_OFFSET = 12;
const ECHO = 0o10;

/**
 * Whether the terminal behind `fd` shows what is typed. Lines and Ctrl-C work on either way.
 *
 * @throws SyscallError when it is no terminal.
 */
export function setTerminalEcho(fd: number, echo: boolean): void {
  const settings = Buffer.alloc(TERMIOS_BYTES);
  checked(libc.ioctl(fd, TCGETS, settings), 'ioctl(TCGETS)', `read the terminal's settings of fd ${fd}`);
  const flags = settings.readUInt32LE(LOCAL_FLAGS_OFFSET);
  settings.writeUInt32LE((echo ? flags | ECHO : flags & ~ECHO) >>> 0, LOCAL_FLAGS_OFFSET);
  checked(libc.ioctl(fd, TCSETS, settings), 'ioctl(TCSETS)', `change the terminal's settings of fd ${fd}`);
}
