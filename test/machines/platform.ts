/** A Debian as it is installed: its suite, its kernel, and the hardware that it finds. */
export interface Platform {
  name: string;
  /** As the page calls it. */
  title: string;
  suite: 'bookworm' | 'trixie';
  /** The suite that the kernel comes from, where it is another. */
  kernelSuite?: 'bookworm-backports';
  /** The layout that the engine is to choose there: what README promises. */
  snapshotter: 'overlay' | 'erofs';
}

/** The first is what the others' times are compared with. */
export const PLATFORMS: readonly Platform[] = [
  { name: 'debian-12', title: 'Debian 12', suite: 'bookworm', snapshotter: 'overlay' },
  {
    name: 'debian-12-backports',
    title: 'Debian 12, backports kernel',
    suite: 'bookworm',
    kernelSuite: 'bookworm-backports',
    snapshotter: 'erofs',
  },
  { name: 'debian-13', title: 'Debian 13', suite: 'trixie', snapshotter: 'erofs' },
];

/** What someone has who is about to try the engine: what Debian's installer brings (its `busybox` is not the static one), Node, npm, git. The way in is ssh. */
export const PACKAGES: readonly string[] = [
  'systemd-sysv',
  'dbus',
  'initramfs-tools',
  'busybox',
  'apparmor',
  'openssh-server',
  'ca-certificates',
  'git',
  'nodejs',
  'npm',
];
