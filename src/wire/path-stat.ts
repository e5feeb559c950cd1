/** What `X-Docker-Container-Path-Stat` holds, as base64 of JSON. */
export interface ContainerPathStat {
  name: string;
  /** Bytes. */
  size: number;
  /** Go's `os.FileMode`. */
  mode: number;
  /** RFC 3339. */
  mtime: string;
  /** From the container's root; '' for what is no symlink. */
  linkTarget: string;
}

export const PATH_STAT_HEADER = 'X-Docker-Container-Path-Stat';

/** Go's bits (io/fs.FileMode), which differ from the kernel's. */
const TYPES: Readonly<Record<string, number>> = {
  file: 0,
  directory: 2 ** 31,
  symlink: 2 ** 27,
  block: 2 ** 26,
  char: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
};
const SPECIAL = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const;

/** @param mode the kernel's 12 permission bits */
export function goFileMode(type: string, mode: number): number {
  const special = SPECIAL.reduce((sum, [bit, goBit]) => sum + ((mode & bit) === 0 ? 0 : goBit), 0);
  return (TYPES[type] ?? 0) + special + (mode & 0o777);
}

export function isGoDirectory(mode: number): boolean {
  return mode >= 2 ** 31;
}

export function isGoSymlink(mode: number): boolean {
  return Math.floor(mode / 2 ** 27) % 2 === 1;
}
