import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from './config-file.ts';
import { defaultSecurity } from './container-settings.ts';
import { readSettings } from './daemon-settings.ts';

const read = (values: object, args: string[] = []) =>
  readSettings(args, () => parseConfig('/etc/sampan/daemon.json', JSON.stringify(values))).containers;

test('nothing said is what Docker has', () => {
  expect(read({})).toEqual({
    defaults: { ipcMode: 'private', cgroupnsMode: '', shmSizeBytes: 64 << 20, ulimits: [] },
    init: false,
    initPath: undefined,
    noNewPrivileges: false,
    seccompProfile: 'builtin',
  });
});

test("dockerd's file and dockerd's flags mean the same", () => {
  const fromFile = read({
    'default-shm-size': '128M',
    'default-ulimits': { nofile: { Name: 'nofile', Hard: 2048, Soft: 1024 } },
    'default-ipc-mode': 'shareable',
    'default-cgroupns-mode': 'host',
    init: true,
    'init-path': '/opt/tini',
    'no-new-privileges': true,
    'seccomp-profile': 'unconfined',
  });
  expect(fromFile).toEqual({
    defaults: {
      ipcMode: 'shareable',
      cgroupnsMode: 'host',
      shmSizeBytes: 128 << 20,
      ulimits: [{ name: 'nofile', soft: 1024, hard: 2048 }],
    },
    init: true,
    initPath: '/opt/tini',
    noNewPrivileges: true,
    seccompProfile: 'unconfined',
  });
  const flags = [
    '--default-shm-size=128m',
    '--default-ulimit=nofile=1024:2048',
    '--default-ipc-mode=shareable',
    '--default-cgroupns-mode=host',
    '--init',
    '--init-path=/opt/tini',
    '--no-new-privileges',
    '--seccomp-profile=unconfined',
  ];
  expect(read({}, flags)).toEqual(fromFile);
  expect(read({ 'default-shm-size': 1048576 }).defaults.shmSizeBytes).toBe(1048576);
});

test.each([
  [{ 'default-ipc-mode': 'host' }, 'invalid default-ipc-mode "host": it must be "private" or "shareable"'],
  [{ 'default-cgroupns-mode': 'x' }, 'invalid default-cgroupns-mode "x": it must be "host" or "private"'],
  [{ 'default-shm-size': 'x' }, 'invalid default-shm-size "x"'],
  [{ 'default-shm-size': -5 }, 'invalid default-shm-size "-5"'],
  [{ 'default-ulimits': { nofile: { Soft: 2, Hard: 1 } } }, 'default-ulimits: ulimit soft limit must be'],
  [{ 'default-ulimits': { foo: { Soft: 1, Hard: 1 } } }, 'default-ulimits: invalid ulimit type: foo'],
  [{ 'init-path': 'tini' }, 'invalid init-path "tini"'],
  [{ 'seccomp-profile': 'p.json' }, 'invalid seccomp-profile "p.json"'],
])('%p is refused', (values, text) => {
  expect(() => read(values)).toThrow(text);
});

test('a profile that cannot be read stops the start', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'seccomp-'));
  const seccompProfile = join(folder, 'profile.json');
  try {
    expect(defaultSecurity({ noNewPrivileges: false, seccompProfile })).rejects.toThrow(
      `opening seccomp profile (${seccompProfile}) failed: `,
    );
    writeFileSync(seccompProfile, '{"defaultAction":"SCMP_ACT_ALLOW"}');
    expect(await defaultSecurity({ noNewPrivileges: true, seccompProfile })).toEqual([
      'no-new-privileges',
      'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
    ]);
    writeFileSync(seccompProfile, '{');
    expect(defaultSecurity({ noNewPrivileges: false, seccompProfile })).rejects.toThrow('opening seccomp');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
