import type { FileType } from '../../archive/tree.ts';

const DIRECTORY = 0x80000000;
const SYMLINK = 1 << 27;
const DEVICE = 1 << 26;
const FIFO = 1 << 25;
const SOCKET = 1 << 24;
const SETUID = 1 << 23;
const SETGID = 1 << 22;
const CHAR_DEVICE = 1 << 21;
const STICKY = 1 << 20;

/** Type and the 12 permission bits of Go's `os.FileMode`. */
export function fromGoFileMode(mode: number): { type: FileType; permissions: number } {
  const special =
    (has(mode, SETUID) ? 0o4000 : 0) | (has(mode, SETGID) ? 0o2000 : 0) | (has(mode, STICKY) ? 0o1000 : 0);
  return { type: typeOf(mode), permissions: (mode & 0o777) | special };
}

function typeOf(mode: number): FileType {
  if (has(mode, DIRECTORY)) return 'directory';
  if (has(mode, SYMLINK)) return 'symlink';
  if (has(mode, FIFO)) return 'fifo';
  if (has(mode, SOCKET)) return 'socket';
  if (has(mode, DEVICE)) return has(mode, CHAR_DEVICE) ? 'char' : 'block';
  return 'file';
}

export function toGoFileMode(type: FileType, permissions: number): number {
  const kinds: Record<FileType, number> = {
    file: 0,
    directory: DIRECTORY,
    symlink: SYMLINK,
    fifo: FIFO,
    socket: SOCKET,
    char: DEVICE | CHAR_DEVICE,
    block: DEVICE,
  };
  const special =
    (permissions & 0o4000 ? SETUID : 0) |
    (permissions & 0o2000 ? SETGID : 0) |
    (permissions & 0o1000 ? STICKY : 0);
  return ((permissions & 0o777) | special | kinds[type]) >>> 0;
}

function has(mode: number, bit: number): boolean {
  return (mode & bit) !== 0;
}
