import { readFileSync } from 'node:fs';
import { run } from '../../sys/spawn.ts';

/** What set-up installs that a machine may have been without. */
const PACKAGES = ['crun', 'conmon', 'nftables', 'tini', 'busybox-static'];

/** What an engine has brought onto the machine and others may need by now. */
export async function tellKept(tell: (text: string) => void): Promise<void> {
  if (readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').startsWith('1'))
    tell('IPv4 packets are forwarded still: others may need that (sysctl net.ipv4.ip_forward)\n');
  const query = ['dpkg-query', '-W', '-f', '${Package} ${db:Status-Abbrev}\\n', ...PACKAGES];
  const listed = await run(query).catch(() => undefined);
  const kept = PACKAGES.filter((name) => new RegExp(`^${name} ii`, 'm').test(listed?.stdout ?? ''));
  if (kept.length > 0) tell(`Packages that others may need stay: ${kept.join(', ')}\n`);
}
