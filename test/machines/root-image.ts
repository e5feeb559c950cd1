import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { must } from '../support/engine/command.ts';
import type { HostSettings } from './host-settings.ts';
import { PACKAGES, type Platform } from './platform.ts';

/** What qemu boots: a root file system, the kernel and initramfs that its Debian installed, and the key that lets us in. */
export interface RootImage {
  disk: string;
  kernel: string;
  initramfs: string;
  key: string;
  /** Disks with more on them, kept for other runs. */
  folder: string;
}

/** Raised when what is written into a root changes. */
const EDITION = 2;
const DISK_SIZE = '24G';
const HOUR_MS = 3_600_000;

/** Rebuilt where platform, packages or the host's ways to packages have changed. */
export async function ensureRootImage(
  platform: Platform,
  { folder, settings, say }: { folder: string; settings: HostSettings; say: (line: string) => void },
): Promise<RootImage> {
  const { archive, security, apt, certificates } = settings;
  const key = JSON.stringify([EDITION, platform, PACKAGES, DISK_SIZE, archive, security, apt, certificates]);
  const home = join(
    folder,
    `${platform.name}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`,
  );
  if (!existsSync(home)) {
    for (const name of readdirSync(folder))
      if (/^(.*)-[0-9a-f]{12}$/.exec(name)?.[1] === platform.name)
        rmSync(join(folder, name), { recursive: true });
    say('makes the root by mmdebstrap (some minutes, once)');
    const work = mkdtempSync(join(folder, 'new-'));
    try {
      await makeRoot(platform, settings, work);
      renameSync(work, home);
    } catch (error) {
      rmSync(work, { recursive: true, force: true });
      throw error;
    }
  }
  const at = (name: string) => join(home, name);
  return {
    disk: at('root.img'),
    kernel: at('vmlinuz'),
    initramfs: at('initrd.img'),
    key: at('key'),
    folder: home,
  };
}

async function makeRoot(platform: Platform, settings: HostSettings, work: string): Promise<void> {
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'machines', '-f', join(work, 'key')]);
  const overlay = join(work, 'overlay');
  writeOverlay(platform, settings, { overlay, key: `${join(work, 'key')}.pub` });
  const tree = join(work, 'root');
  await must(bootstrapCommand(platform, settings, { overlay, tree }), {
    timeoutMs: HOUR_MS,
    env: { HOME: '/root', LC_ALL: 'C', ...proxies(settings) },
  });
  const boot = readdirSync(join(tree, 'boot'));
  for (const [prefix, target] of [
    ['vmlinuz-', 'vmlinuz'],
    ['initrd.img-', 'initrd.img'],
  ] as const) {
    const name = boot.find((found) => found.startsWith(prefix));
    if (name === undefined) throw new Error(`The root of ${platform.name} has no ${prefix}* in /boot`);
    copyFileSync(join(tree, 'boot', name), join(work, target));
  }
  await must(['mke2fs', '-q', '-t', 'ext4', '-L', 'root', '-d', tree, join(work, 'root.img'), DISK_SIZE], {
    timeoutMs: HOUR_MS,
  });
  rmSync(tree, { recursive: true });
  rmSync(overlay, { recursive: true });
}

function proxies({ environment }: HostSettings): Record<string, string> {
  return Object.fromEntries(
    environment.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

function bootstrapCommand(
  platform: Platform,
  { archive, security, apt }: HostSettings,
  { overlay, tree }: { overlay: string; tree: string },
): string[] {
  const { suite, kernelSuite } = platform;
  const sources = [suite, `${suite}-updates`, ...(kernelSuite === undefined ? [] : [kernelSuite])]
    .map((name) => `deb ${archive} ${name} main`)
    .concat(`deb ${security} ${suite}-security main`);
  const kernel = `apt-get install -y ${kernelSuite === undefined ? '' : `-t ${kernelSuite} `}linux-image-amd64`;
  return [
    'mmdebstrap',
    '--quiet',
    '--variant=important',
    `--include=${PACKAGES.join(',')}`,
    ...apt.map((line) => `--aptopt=${line}`),
    `--customize-hook=copy-in ${overlay}/etc ${overlay}/root ${overlay}/usr /`,
    `--customize-hook=DEBIAN_FRONTEND=noninteractive chroot "$1" ${kernel}`,
    // qemu boots the copies beside the disk: each package that has a word in the initramfs would have it made anew, for minutes.
    '--customize-hook=sed -i s/^update_initramfs=.*/update_initramfs=no/ "$1/etc/initramfs-tools/update-initramfs.conf"',
    '--customize-hook=chroot "$1" update-ca-certificates',
    '--customize-hook=chroot "$1" systemctl enable systemd-networkd ssh',
    suite,
    tree,
    ...sources,
  ];
}

/** Files that an installer would have written, and the way in. */
function writeOverlay(
  platform: Platform,
  { certificates }: HostSettings,
  { overlay, key }: { overlay: string; key: string },
): void {
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(join(overlay, path, '..'), { recursive: true });
    writeFileSync(join(overlay, path), text, { mode });
  };
  put('etc/hostname', `${platform.name}\n`);
  put('etc/hosts', `127.0.0.1 localhost ${platform.name}\n::1 localhost\n`);
  put('etc/fstab', '/dev/vda / ext4 defaults 0 1\n');
  put('etc/resolv.conf', 'nameserver 10.0.2.3\n');
  put('etc/systemd/network/80-dhcp.network', '[Match]\nName=en* eth*\n\n[Network]\nDHCP=ipv4\n');
  // Emulated processors take minutes for what a unit is given a minute and a half for.
  put(
    'etc/systemd/system.conf.d/slow.conf',
    '[Manager]\nDefaultTimeoutStartSec=900\nDefaultDeviceTimeoutSec=900\n',
  );
  for (const [index, text] of certificates.entries())
    put(`usr/local/share/ca-certificates/host-${index}.crt`, text);
  mkdirSync(join(overlay, 'usr'), { recursive: true });
  for (const path of ['root', 'root/.ssh']) mkdirSync(join(overlay, path), { mode: 0o700 });
  copyFileSync(key, join(overlay, 'root/.ssh/authorized_keys'));
}
