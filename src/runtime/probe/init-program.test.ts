import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findInitProgram } from './init-program.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sampan-init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a static program is taken, by whichever name, also through a link', () => {
  copyFileSync('/bin/busybox', join(folder, 'catatonit'));
  chmodSync(join(folder, 'catatonit'), 0o755);
  symlinkSync('catatonit', join(folder, 'docker-init'));
  expect(findInitProgram(folder)).toBe(join(folder, 'docker-init'));
});

test('what an image would have to bring a loader for, is no program or may not be run, is passed over', () => {
  copyFileSync('/bin/ls', join(folder, 'docker-init'));
  writeFileSync(join(folder, 'tini-static'), '#!/bin/sh\n', { mode: 0o755 });
  copyFileSync('/bin/busybox', join(folder, 'catatonit'));
  chmodSync(join(folder, 'catatonit'), 0o644);
  expect(() => findInitProgram(folder)).toThrow('exec: "docker-init": executable file not found in $PATH');
  expect(() => findInitProgram('')).toThrow('executable file not found in $PATH');
});

test('what cannot be looked at is passed over too', () => {
  symlinkSync('docker-init', join(folder, 'docker-init'));
  copyFileSync('/bin/busybox', join(folder, 'catatonit'));
  chmodSync(join(folder, 'catatonit'), 0o755);
  expect(findInitProgram(folder)).toBe(join(folder, 'catatonit'));
});
