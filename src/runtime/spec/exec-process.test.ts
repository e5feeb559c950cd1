import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SpecProcess } from '../runtime-spec.ts';
import { type ExecWish, execProcess } from './exec-process.ts';

const root = mkdtempSync(join(tmpdir(), 'sampan-exec-root-'));
mkdirSync(join(root, 'etc'));
writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n');
writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:34:\nextra:x:50:web\n');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const set = ['CAP_KILL'];
const base: SpecProcess = {
  terminal: true,
  consoleSize: { height: 1, width: 2 },
  user: { uid: 5, gid: 6, additionalGids: [6, 7] },
  args: ['init'],
  env: ['OLD=1'],
  cwd: '/srv',
  capabilities: { bounding: set, effective: set, permitted: set, inheritable: [], ambient: [] },
  rlimits: [{ type: 'RLIMIT_NOFILE', hard: 10, soft: 5 }],
  noNewPrivileges: true,
  apparmorProfile: 'docker-default',
};

const wish = (change: Partial<ExecWish> = {}): ExecWish => ({
  args: ['ls', '-l'],
  env: ['A=1', 'A=2', 'PATH=/bin'],
  hostname: 'box',
  workingDir: '',
  user: '',
  groupAdd: [],
  privileged: false,
  terminal: false,
  consoleSize: undefined,
  ...change,
});

test("the container's limits, profiles and capabilities; everything else is the exec's", () => {
  const { consoleSize: _none, ...inherited } = base;
  expect(execProcess(base, root, wish())).toEqual({
    ...inherited,
    terminal: false,
    args: ['ls', '-l'],
    env: ['PATH=/bin', 'HOSTNAME=box', 'A=2'],
    cwd: '/',
  });
});

test('another user has its groups and its home, one that is unknown none', () => {
  const web = execProcess(base, root, wish({ user: 'web', groupAdd: ['99'] }));
  expect(web.user).toEqual({ uid: 33, gid: 34, additionalGids: [34, 50, 99] });
  expect(web.env.some((entry) => entry.startsWith('HOME='))).toBe(false);
  const nobody = execProcess(base, root, wish({ user: '777' }));
  expect(nobody.user).toEqual({ uid: 777, gid: 0, additionalGids: [0] });
  expect(nobody.env).toContain('HOME=/');
  expect(() => execProcess(base, root, wish({ user: 'ghost' }))).toThrow(
    'unable to find user ghost: no matching entries in passwd file',
  );
});

test('a terminal has a TERM, and the size that was asked for', () => {
  const made = execProcess(base, root, wish({ terminal: true, consoleSize: [40, 100] }));
  expect(made).toMatchObject({ terminal: true, consoleSize: { height: 40, width: 100 } });
  expect(made.env).toContain('TERM=xterm');
  expect(execProcess(base, root, wish({ terminal: true, consoleSize: [0, 0] })).consoleSize).toBeUndefined();
});

test('privileged means all capabilities, and nothing else', () => {
  const made = execProcess(base, root, wish({ privileged: true }));
  expect(made.capabilities?.effective.length).toBeGreaterThan(set.length);
  expect(made.capabilities?.inheritable).toEqual([]);
  expect(made).toMatchObject({ noNewPrivileges: true, apparmorProfile: 'docker-default' });
});

test('a working directory that is not absolute, and NUL bytes, are refused', () => {
  expect(() => execProcess(base, root, wish({ workingDir: 'x' }))).toThrow('Cwd must be an absolute path');
  expect(() => execProcess(base, root, wish({ args: ['a\0b'] }))).toThrow('NUL byte');
});
