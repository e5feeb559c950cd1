import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const APPLETS =
  `sh cat echo stty sleep true false ls head dd grep id mount env wc yes seq kill test chmod touch tr hostname
unshare chroot pwd ps printf ulimit stat od`.split(/\s+/);

/** A root file system with busybox (Debian's busybox-static) and a few accounts. */
export function makeBusyboxRoot(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'sampan-root-'));
  chmodSync(path, 0o755);
  for (const folder of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev']) mkdirSync(join(path, folder));
  copyFileSync('/bin/busybox', join(path, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', join(path, 'bin', applet));
  writeFileSync(
    join(path, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n',
  );
  writeFileSync(join(path, 'etc/group'), 'root:x:0:\nuser:x:1000:\nextra:x:1001:user\n');
  writeFileSync(join(path, 'etc/plain'), 'no program\n');
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
