import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helloProgram } from '../../scripts/seed/hello-program.ts';
import { isStaticProgram } from '../../scripts/static-program.mjs';

test('isStaticProgram() tells a program that is whole from one that needs a libc beside it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'static-program-'));
  try {
    const whole = join(folder, 'whole');
    writeFileSync(whole, helloProgram('x64', 'hi'));
    expect(isStaticProgram(whole)).toBe(true);
    // Bun needs a libc: the very case of the `busybox` that Debian's installer brings.
    expect(isStaticProgram(process.execPath)).toBe(false);
    writeFileSync(whole, '#!/bin/sh\n');
    expect(isStaticProgram(whole)).toBe(false);
    expect(isStaticProgram(join(folder, 'absent'))).toBe(false);
    expect(isStaticProgram(folder)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
