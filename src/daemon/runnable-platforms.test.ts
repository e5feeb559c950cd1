import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatPlatform, hostPlatform } from '../oci/platform.ts';
import { runnablePlatforms } from './runnable-platforms.ts';

test('runnablePlatforms() is the host and what an enabled interpreter is there for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'binfmt-'));
  try {
    writeFileSync(join(folder, 'qemu-s390x'), 'enabled\ninterpreter /usr/bin/qemu-s390x-static\n');
    writeFileSync(join(folder, 'qemu-riscv64'), 'disabled\n');
    writeFileSync(join(folder, 'python3'), 'enabled\n');
    const [first, ...others] = (await runnablePlatforms(folder)).map(formatPlatform);
    expect(first).toBe(formatPlatform(hostPlatform()));
    expect(others).toContain('linux/s390x');
    expect(others).not.toContain('linux/riscv64');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
