/** The flags of mount(2) that its options' words set or clear (linux/mount.h). */
const [RDONLY, NOSUID, NODEV, NOEXEC] = [0x1, 0x2, 0x4, 0x8];
const [SYNCHRONOUS, REMOUNT, MANDLOCK, DIRSYNC] = [0x10, 0x20, 0x40, 0x80];
const [NOATIME, NODIRATIME, BIND, RECURSIVE] = [0x400, 0x800, 0x1000, 0x4000];
const [UNBINDABLE, PRIVATE, SLAVE, SHARED] = [0x20000, 0x40000, 0x80000, 0x100000];
const [RELATIME, STRICTATIME] = [0x200000, 0x1000000];

const SET: Readonly<Record<string, number>> = {
  defaults: 0,
  ro: RDONLY,
  nosuid: NOSUID,
  nodev: NODEV,
  noexec: NOEXEC,
  sync: SYNCHRONOUS,
  dirsync: DIRSYNC,
  remount: REMOUNT,
  mand: MANDLOCK,
  noatime: NOATIME,
  nodiratime: NODIRATIME,
  bind: BIND,
  rbind: BIND | RECURSIVE,
  relatime: RELATIME,
  strictatime: STRICTATIME,
};
const CLEARED: Readonly<Record<string, number>> = {
  rw: RDONLY,
  suid: NOSUID,
  dev: NODEV,
  exec: NOEXEC,
  async: SYNCHRONOUS,
  nomand: MANDLOCK,
  atime: NOATIME,
  diratime: NODIRATIME,
  norelatime: RELATIME,
  nostrictatime: STRICTATIME,
};
const PROPAGATIONS: Readonly<Record<string, number>> = {
  private: PRIVATE,
  rprivate: PRIVATE | RECURSIVE,
  shared: SHARED,
  rshared: SHARED | RECURSIVE,
  slave: SLAVE,
  rslave: SLAVE | RECURSIVE,
  unbindable: UNBINDABLE,
  runbindable: UNBINDABLE | RECURSIVE,
};

export interface MountWords {
  flags: number;
  /** 0: as the kernel has it. Set by a call of its own. */
  propagation: number;
  /** What the file system itself is told. */
  data: string;
}

export const mountBits = { readonly: RDONLY, remount: REMOUNT, bind: BIND } as const;

/** `rw,nosuid,size=1m` as mount(8) takes it: words for the kernel, the rest for the file system. */
export function parseMountWords(text: string): MountWords {
  let [flags, propagation] = [0, 0];
  const data: string[] = [];
  for (const word of text.split(',')) {
    if (word === '') continue;
    if (Object.hasOwn(SET, word)) flags |= SET[word] ?? 0;
    else if (Object.hasOwn(CLEARED, word)) flags &= ~(CLEARED[word] ?? 0);
    else if (Object.hasOwn(PROPAGATIONS, word)) propagation |= PROPAGATIONS[word] ?? 0;
    else data.push(word);
  }
  return { flags, propagation, data: data.join(',') };
}
