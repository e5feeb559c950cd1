import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostPlatform, type Platform, parsePlatform } from '../oci/platform.ts';

/** By the names that qemu-user's packages and tonistiigi/binfmt register. */
const EMULATED: Readonly<Record<string, string>> = {
  'qemu-aarch64': 'linux/arm64',
  'qemu-arm': 'linux/arm/v7',
  'qemu-i386': 'linux/386',
  'qemu-loongarch64': 'linux/loong64',
  'qemu-mips64': 'linux/mips64',
  'qemu-mips64el': 'linux/mips64le',
  'qemu-ppc64le': 'linux/ppc64le',
  'qemu-riscv64': 'linux/riscv64',
  'qemu-s390x': 'linux/s390x',
  'qemu-x86_64': 'linux/amd64',
};

/** What this host can run: its own, and what binfmt_misc has an interpreter for. The host's comes first. */
export async function runnablePlatforms(): Promise<Platform[]> {
  return await platformsOf('/proc/sys/fs/binfmt_misc');
}

/** By binfmt_misc's files. Containers reach only an interpreter that the kernel keeps open, flag F. */
export async function platformsOf(directory: string): Promise<Platform[]> {
  const host = hostPlatform();
  const found = [host, ...(host.architecture === 'amd64' ? [parsePlatform('linux/386')] : [])];
  for (const name of await readdir(directory).catch(() => [])) {
    const platform = EMULATED[name];
    if (platform === undefined) continue;
    const state = await readFile(join(directory, name), 'utf8').catch(() => '');
    if (/^enabled\n[^]*^flags: .*F/m.test(state)) found.push(parsePlatform(platform));
  }
  return [
    ...new Map(found.map((one) => [`${one.os}/${one.architecture}/${one.variant ?? ''}`, one])).values(),
  ];
}
