import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../errors/logger.ts';
import type { RuntimeSpec } from '../runtime-spec.ts';
import { applyEdits } from './apply-edits.ts';
import { CdiRegistry } from './cdi-registry.ts';
import { decodeCdiSpec } from './cdi-spec.ts';
import { requestedDevices } from './requested-devices.ts';

let directory = '';
let registry: CdiRegistry;
const warnings: string[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-cdi-'));
  warnings.length = 0;
  const warn = (_message: string, fields?: Record<string, unknown>) =>
    void warnings.push(String(fields?.['error']));
  const folders = ['etc', 'run', 'absent'].map((name) => join(directory, name));
  for (const folder of folders.slice(0, 2)) mkdirSync(folder);
  registry = new CdiRegistry(folders, { ...silentLogger, warn });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const write = (path: string, content: unknown) =>
  writeFileSync(join(directory, path), typeof content === 'string' ? content : JSON.stringify(content));

const YAML = `
cdiVersion: "0.6.0"
kind: vendor.com/class
containerEdits:
  env: [ALL=1]
devices:
  - name: one
    containerEdits:
      env:
        - ONE=yes
      deviceNodes:
        - path: /dev/mine
          hostPath: /dev/null
          permissions: r
      mounts:
        - hostPath: /etc/hostname
          containerPath: /vendor/name
          options: [ro, bind]
      hooks:
        - hookName: createContainer
          path: /bin/true
          args: [true, "--x"]
      additionalGids: [7]
`;

const spec = (): RuntimeSpec => ({
  ociVersion: '1.0.2',
  process: {
    terminal: false,
    user: { uid: 5, gid: 6, additionalGids: [6] },
    args: ['x'],
    env: ['ALL=0', 'PATH=/bin'],
    cwd: '/',
    noNewPrivileges: false,
  },
  root: { path: directory, readonly: false },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  linux: { namespaces: [], resources: { devices: [{ allow: false, access: 'rwm' }] } },
});

test('a device in YAML changes what it says, and all of its kind has', () => {
  write('etc/v.yaml', YAML.replace('[true, ', '["true", '));
  const made = registry.edits(['vendor.com/class=one']).reduce(applyEdits, spec());
  expect(made.process.env).toEqual(['PATH=/bin', 'ALL=1', 'ONE=yes']);
  expect(made.process.user.additionalGids).toEqual([6, 7]);
  expect(made.linux.devices).toMatchObject([
    { path: '/dev/mine', type: 'c', major: 1, minor: 3, uid: 5, gid: 6 },
  ]);
  expect(made.linux.resources?.['devices']).toEqual([
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'r' },
  ]);
  expect(made.mounts[1]).toEqual({
    destination: '/vendor/name',
    type: 'bind',
    source: '/etc/hostname',
    options: ['ro', 'bind'],
  });
  expect(made.hooks).toEqual({ createContainer: [{ path: '/bin/true', args: ['true', '--x'], env: [] }] });
});

test('of two folders with a device the later one counts; what is no specification is told and passed over', () => {
  const json = (value: string) => ({
    cdiVersion: '0.5.0',
    kind: 'v.com/c',
    devices: [{ name: 'd', containerEdits: { env: [`A=${value}`] } }],
  });
  write('etc/a.json', json('etc'));
  write('run/a.json', json('run'));
  write('run/b.json', '{');
  write('run/c.yml', 'a: [');
  write('run/note.txt', 'not one');
  expect(registry.edits(['v.com/c=d']).at(-1)?.env).toEqual(['A=run']);
  expect(warnings.length).toBe(2);
  expect(() => registry.edits(['v.com/c=d', 'v.com/c=x', 'nope'])).toThrow(
    'CDI device injection failed: unresolvable CDI devices v.com/c=x, nope',
  );
});

test('a mount over /proc is refused', () => {
  const mounts = [{ hostPath: '/tmp', containerPath: '/proc/sys' }];
  const edits = decodeCdiSpec({
    cdiVersion: '0.5.0',
    kind: 'v.com/c',
    devices: [{ name: 'd', containerEdits: { mounts } }],
  }).devices.get('d');
  expect(() => edits && applyEdits(spec(), edits)).toThrow('/proc');
});

test.each<[string, unknown]>([
  ['no object', []],
  ['version', { kind: 'v.com/c' }],
  ['kind', { cdiVersion: '0.5.0', kind: 'c' }],
  ['name', { cdiVersion: '0.5.0', kind: 'v.com/c', devices: [{ name: '../x' }] }],
  ['twice', { cdiVersion: '0.5.0', kind: 'v.com/c', devices: [{ name: 'x' }, { name: 'x' }] }],
  ['env', { cdiVersion: '0.5.0', kind: 'v.com/c', containerEdits: { env: ['A'] } }],
  ['path', { cdiVersion: '0.5.0', kind: 'v.com/c', containerEdits: { deviceNodes: [{ path: 'dev' }] } }],
  [
    'hook',
    { cdiVersion: '0.5.0', kind: 'v.com/c', containerEdits: { hooks: [{ hookName: 'x', path: '/x' }] } },
  ],
  ['list', { cdiVersion: '0.5.0', kind: 'v.com/c', containerEdits: { mounts: {} } }],
])('a specification with a bad %s is refused', (_what, value) =>
  expect(() => decodeCdiSpec(value)).toThrow('Cannot read a CDI specification: '),
);

test('GPUs are those of a driver that has told of some; else as in Docker', () => {
  const request = { driver: '', count: -1, ids: [], capabilities: [['gpu']], options: {} };
  expect(() => requestedDevices([request], registry)).toThrow(
    'could not select device driver "" with capabilities: [[gpu]]',
  );
  const present = { knows: () => true };
  expect(requestedDevices([request], present)).toEqual(['nvidia.com/gpu=all']);
  expect(requestedDevices([{ ...request, count: 2 }], present)).toEqual([
    'nvidia.com/gpu=0',
    'nvidia.com/gpu=1',
  ]);
  expect(requestedDevices([{ ...request, ids: ['GPU-1'] }], present)).toEqual(['nvidia.com/gpu=GPU-1']);
});
