import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const checkout = join(import.meta.dir, '../..');
const script = join(checkout, 'scripts/systemd.mjs');
const analyze = Bun.which('systemd-analyze');
const systemctl = Bun.which('systemctl');
if (analyze === null || systemctl === null)
  process.stderr.write('SKIP systemd units: need systemd-analyze and systemctl (package systemd)\n');

let target = '';
beforeEach(() => {
  target = mkdtempSync(join(tmpdir(), 'sampan-systemd-'));
  put('etc/group', 'root:x:0:\ndocker:x:997:\n');
});
afterEach(() => rmSync(target, { recursive: true, force: true }));

function run(...args: string[]): { code: number; out: string; err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(['node', script, ...args, '--root', target]);
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

function put(path: string, text: string): void {
  mkdirSync(dirname(join(target, path)), { recursive: true });
  writeFileSync(join(target, path), text);
}

const unit = (name: string) => join(target, 'etc/systemd/system', name);
const read = (name: string) => readFileSync(unit(name), 'utf8');
const files = () =>
  readdirSync(target, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [] : [join(entry.parentPath, entry.name).slice(target.length + 1)],
  );

test.skipIf(analyze === null || systemctl === null)('systemd finds nothing to say about the units', () => {
  expect(run('install', '--docker-alias')).toMatchObject({ code: 0, err: '' });
  const { exitCode, stderr } = Bun.spawnSync([
    analyze ?? '',
    'verify',
    '--man=no',
    unit('sampan.service'),
    unit('sampan.socket'),
    unit('sampan-shutdown.service'),
  ]);
  // It looks at what the units lean on too: only words about ours count.
  const words = stderr.toString().split('\n');
  expect(words.filter((line) => line.includes('sampan'))).toEqual([]);
  expect(exitCode).toBe(0);
});

test.skipIf(systemctl === null)('install, status and uninstall leave what was before', () => {
  expect(run('status').out).toMatch(/installed: +no/);
  expect(run('install')).toMatchObject({ code: 0, err: '' });
  expect(read('sampan.service')).toContain(`ExecStart=${checkout}/bin/sampand -H fd://\n`);
  expect(read('sampan.socket')).toContain('SocketGroup=docker\n');
  expect(read('sampan-shutdown.service')).toContain(`exec ${checkout}/bin/sampand shutdown `);
  expect(readlinkSync(unit('multi-user.target.wants/sampan-shutdown.service'))).toEndWith(
    '/sampan-shutdown.service',
  );
  expect(readlinkSync(unit('multi-user.target.wants/sampan.service'))).toEndWith('/sampan.service');
  expect(readlinkSync(unit('sockets.target.wants/sampan.socket'))).toEndWith('/sampan.socket');
  expect(run('status').out).toMatch(/installed: +yes\ndocker alias: +no/);
  expect(run('uninstall')).toMatchObject({ code: 0, err: '' });
  expect(files()).toEqual(['etc/group']);
  expect(run('uninstall').out).toBe('Nothing is installed.\n');
});

test.skipIf(systemctl === null)("the names of Docker's units are an opt-in that can be taken back", () => {
  expect(run('install').code).toBe(0);
  expect(existsSync(unit('docker.service'))).toBe(false);
  expect(run('install', '--docker-alias').code).toBe(0);
  for (const kind of ['service', 'socket'])
    expect(readlinkSync(unit(`docker.${kind}`))).toEndWith(`/sampan.${kind}`);
  expect(run('status').out).toMatch(/docker alias: +yes/);
  expect(run('install').code).toBe(0);
  expect(files().filter((name) => name.includes('docker'))).toEqual([]);
  expect(run('install', '--docker-alias').code).toBe(0);
  expect(run('uninstall').code).toBe(0);
  expect(files()).toEqual(['etc/group']);
});

test.each(['etc/systemd/system', 'usr/lib/systemd/system', 'lib/systemd/system', 'run/systemd/system'])(
  'a unit of Docker in %s is not touched',
  (folder) => {
    put(`${folder}/docker.service`, '[Service]\nExecStart=/usr/bin/dockerd\n');
    const { code, err } = run('install', '--docker-alias');
    expect(code).toBe(1);
    expect(err).toContain(`${folder}/docker.service belongs to Docker, which stays untouched.`);
    expect(files().sort()).toEqual(['etc/group', `${folder}/docker.service`].sort());
  },
);

test('a masked docker.socket is not touched', () => {
  mkdirSync(dirname(unit('x')), { recursive: true });
  symlinkSync('/dev/null', unit('docker.socket'));
  expect(run('install', '--docker-alias')).toMatchObject({ code: 1 });
  expect(readlinkSync(unit('docker.socket'))).toBe('/dev/null');
});

test.skipIf(systemctl === null)('beside Docker it installs under its own name', () => {
  put('usr/lib/systemd/system/docker.service', '[Service]\nExecStart=/usr/bin/dockerd\n');
  expect(run('install').code).toBe(0);
  expect(run('uninstall').code).toBe(0);
  expect(files().sort()).toEqual(['etc/group', 'usr/lib/systemd/system/docker.service']);
});

test("somebody's own sampan.service is neither replaced nor removed", () => {
  put('etc/systemd/system/sampan.service', '[Service]\nExecStart=/bin/mine\n');
  expect(run('install')).toMatchObject({ code: 1 });
  expect(run('uninstall')).toMatchObject({ code: 1 });
  expect(read('sampan.service')).toContain('/bin/mine');
});

test.skipIf(systemctl === null)(
  'without a group docker the socket is for root alone, and no group is made',
  () => {
    put('etc/group', 'root:x:0:\n');
    const { code, out } = run('install');
    expect(code).toBe(0);
    expect(out).toContain('There is no group docker');
    expect(read('sampan.socket')).not.toContain('SocketGroup');
    expect(readFileSync(join(target, 'etc/group'), 'utf8')).toBe('root:x:0:\n');
  },
);

test.each([[], ['instal'], ['install', 'now'], ['uninstall', '--docker-alias'], ['constructor']])(
  'wrong arguments %p get the usage',
  (...args) => {
    const { code, err } = run(...(args as string[]));
    expect(code).toBe(1);
    expect(err).toStartWith('Usage: node scripts/systemd.mjs install');
  },
);
