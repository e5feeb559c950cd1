import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatPlatform, hostPlatform } from '../oci/platform.ts';
import { platformsOf } from './runnable-platforms.ts';

test('platformsOf() is the host and what an enabled interpreter that works in containers is there for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'binfmt-'));
  try {
    writeFileSync(
      join(folder, 'qemu-s390x'),
      'enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: POF\n',
    );
    writeFileSync(join(folder, 'qemu-riscv64'), 'disabled\ninterpreter /q\nflags: F\n');
    writeFileSync(join(folder, 'qemu-ppc64le'), 'enabled\ninterpreter /usr/bin/qemu-F\nflags: OC\n');
    writeFileSync(join(folder, 'python3'), 'enabled\n');
    const [first, ...others] = (await platformsOf(folder)).map(formatPlatform);
    expect(first).toBe(formatPlatform(hostPlatform()));
    expect(others).toContain('linux/s390x');
    expect(others).not.toContain('linux/riscv64');
    expect(others).not.toContain('linux/ppc64le');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
