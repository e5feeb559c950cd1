import { afterAll, beforeAll, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, run } from '../support/engine/command.ts';
import { type Outside, openOutside } from '../support/engine/outside.ts';

// A Debian of its own (no systemd in it), where the package is installed, upgraded, removed and purged, Docker's coming and going beside it.
const checkout = join(import.meta.dir, '../..');
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
const cgroupParent = `/sampan-package-${process.pid}`;
let outside: Outside;
let folder = '';
const ENV = {
  DEBIAN_FRONTEND: 'noninteractive',
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
};
/** Its files, seen from here. */
let debian = '';
let machine: Bun.Subprocess<'ignore', 'pipe', 'inherit'> | undefined;

const deb = (version: string) => join(folder, `sampan_${version}_${architecture}.deb`);

async function build(version: string, out = folder): Promise<void> {
  const script = [join(checkout, 'scripts/package.mjs'), '--only', 'deb', '--arch', architecture];
  await must(['node', ...script, '--deb-version', version, '--compression', 'none', '--out', out], {
    timeoutMs: 200_000,
    env: { SOURCE_DATE_EPOCH: '1700000000' },
  });
}

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  outside = await openOutside();
  folder = mkdtempSync(join(tmpdir(), 'p-'));
  const needed = 'crun,conmon,nftables,iproute2,procps,tini,ca-certificates';
  const proxy = { http_proxy: `http://127.0.0.1:${outside.port}` };
  const [, suite = 'stable'] =
    /^VERSION_CODENAME="?([a-z]+)/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  await Promise.all([
    must(
      [
        'mmdebstrap',
        '--quiet',
        '--mode=root',
        '--variant=minbase',
        `--include=${needed}`,
        '--aptopt=Acquire::Retries "5"',
        suite,
        join(folder, 'debian'),
      ],
      {
        timeoutMs: 400_000,
        env: { ...proxy, PATH: process.env['PATH'] ?? '' },
      },
    ),
    build('1.0'),
  ]);
  await build('2.0');
  await enter(join(folder, 'debian'));
  // Docker's daemons would take the machine's iptables: they are installed, not started.
  writeFileSync(
    join(debian, 'usr/sbin/policy-rc.d'),
    '#!/bin/sh\ncase $1 in sampan) exit 0 ;; *) exit 101 ;; esac\n',
  );
  chmodSync(join(debian, 'usr/sbin/policy-rc.d'), 0o755);
}, 900_000);

/** The Debian as the root of a mount namespace, as a machine has it: in a chroot nobody can come back to a namespace of his own. */
async function enter(root: string): Promise<void> {
  const script = `mount --bind ${root} ${root}; cd ${root}; for name in proc sys dev; do mount --rbind /$name $name; done
mount -t tmpfs tmpfs run; mkdir old; pivot_root . old; umount -l old; rmdir old; echo there; exec sleep infinity`;
  machine = Bun.spawn(['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', script], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
    env: ENV,
  });
  await machine.stdout.getReader().read();
  debian = `/proc/${machine.pid}/root`;
}

afterAll(async () => {
  if (machine !== undefined) await inside('/etc/init.d/sampan', 'stop').catch(() => undefined);
  outside?.close();
  machine?.kill('SIGKILL');
  for (const path of await cgroups())
    await run(['find', path, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
  rmSync(folder, { recursive: true, force: true });
}, 300_000);

function mountPoints(): string[] {
  const lines = readFileSync(`/proc/${machine?.pid}/mountinfo`, 'utf8').split('\n');
  return lines.map((line) => line.split(' ')[4] ?? '');
}

async function cgroups(): Promise<string[]> {
  const { stdout } = await run([
    'find',
    '/sys/fs/cgroup',
    '-maxdepth',
    '2',
    '-type',
    'd',
    '-name',
    cgroupParent.slice(1),
  ]);
  return stdout.split('\n').filter(Boolean);
}

/** A command in the Debian. */
async function inside(...command: string[]): Promise<string> {
  const proxy = { http_proxy: `http://127.0.0.1:${outside.port}` };
  return await must(
    ['nsenter', '--mount', '--root', '--wd', '--target', String(machine?.pid), '--', ...command],
    { env: { ...ENV, ...proxy }, timeoutMs: 400_000 },
  );
}

const apt = (...args: string[]) =>
  inside(
    'apt-get',
    '-y',
    '-q',
    '--no-install-recommends',
    '-o',
    'Acquire::Retries=5',
    '-o',
    'Dpkg::Use-Pty=0',
    ...args,
  );

/** With the administrator's settings there before it: they stay, and nobody is asked. */
async function installOver(version: string): Promise<void> {
  await must(['cp', deb(version), join(debian, 'sampan.deb')]);
  try {
    await apt('-o', 'Dpkg::Options::=--force-confold', 'install', '/sampan.deb');
  } finally {
    rmSync(join(debian, 'sampan.deb'));
  }
}

async function ask(path: string): Promise<unknown> {
  const answer = await fetch(`http://localhost${path}`, { unix: join(debian, 'run/sampan.sock') });
  return await answer.json();
}

const daemonPid = () => Number(readFileSync(join(debian, 'run/sampan.pid'), 'utf8'));

/** Every file there, but for what dpkg, apt and the group write of themselves. */
function filesThere(under = debian): string[] {
  const skipped =
    /^\/(?:proc|sys|dev|run|tmp|var\/(?:lib\/(?:dpkg|apt|systemd)|cache\/(?:apt|debconf|ldconfig)|log)|etc\/(?:group|gshadow|subgid)-?$)/;
  return readdirSync(under, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(under, entry.name);
      const name = path.slice(debian.length);
      if (skipped.test(name)) return [];
      return entry.isDirectory() ? [`${name}/`, ...filesThere(path)] : [name];
    })
    .toSorted((one, other) => (one < other ? -1 : 1));
}

function settings(): void {
  mkdirSync(join(debian, 'etc/default'), { recursive: true });
  writeFileSync(
    join(debian, 'etc/default/sampan'),
    `SAMPAN_OPTS="--bip 10.86.9.1/24 --cgroup-parent ${cgroupParent}"\n`,
  );
  mkdirSync(join(debian, 'etc/sampan'), { recursive: true });
  writeFileSync(
    join(debian, 'etc/sampan/daemon.json'),
    '{"registry-mirrors":["http://127.0.0.1:5986"],"embedded-registry":"127.0.0.1:5986"}',
  );
}

let before: string[] = [];

test('the same sources give the same bytes', async () => {
  const again = join(folder, 'again');
  await build('1.0', again);
  const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
  expect(digest(join(again, `sampan_1.0_${architecture}.deb`))).toBe(digest(deb('1.0')));
  rmSync(again, { recursive: true });
}, 300_000);

test('installed, it runs, and is docker where nobody else is', async () => {
  before = filesThere();
  settings();
  await must([process.execPath, join(checkout, 'scripts/seed/seed.ts'), join(debian, 'var/lib/sampan')], {
    env: { PATH: process.env['PATH'] ?? '' },
    timeoutMs: 120_000,
  });
  await installOver('1.0');
  expect(await ask('/version')).toMatchObject({ ApiVersion: '1.51' });
  const shutdown = readFileSync(join(debian, 'usr/lib/systemd/system/sampan-shutdown.service'), 'utf8');
  expect(shutdown).toContain(
    `ExecStop=/bin/sh -c '[ "$$(systemctl is-system-running)" != stopping ] || exec /usr/sbin/sampand shutdown $$SAMPAN_OPTS'\n`,
  );
  const group = /^docker:x:(\d+):/m.exec(readFileSync(join(debian, 'etc/group'), 'utf8'))?.[1];
  const socket = lstatSync(join(debian, 'run/sampan.sock'));
  expect([socket.gid, socket.mode & 0o777]).toEqual([Number(group), 0o660]);
  expect(await inside('dpkg', '--verify', 'sampan').catch(String)).not.toContain('/usr');
  expect(await inside('docker', 'run', '--rm', 'busybox', 'echo', 'hi')).toEndWith('hi\n');
  expect(readlinkSync(join(debian, 'usr/bin/docker'))).toBe('/etc/alternatives/docker');
  expect(readlinkSync(join(debian, 'etc/alternatives/docker'))).toBe('/usr/bin/sampan');
  expect(await inside('docker', '__complete', 'network', 'rm', '')).toContain('bridge\n');
}, 400_000);

test('a folder of somebody else is not read: neither bunfig.toml nor .env', async () => {
  const strange = join(debian, 'strange');
  mkdirSync(strange);
  writeFileSync(join(strange, 'bunfig.toml'), 'preload = ["./preload.js"]\n');
  writeFileSync(join(strange, 'preload.js'), 'console.log("run by root")\n');
  writeFileSync(join(strange, '.env'), 'DOCKER_HOST=unix:///strange.sock\n');
  const version = "cd /strange && sampan version --format '{{.Server.Version}}' && sampand --version";
  expect(await inside('sh', '-c', version)).toMatch(/^\d+\.\d+\.\d+\nSampan version /);
  rmSync(strange, { recursive: true });
});

test('an upgrade takes the daemon, and containers run on', async () => {
  await inside(
    'sampan',
    'run',
    '-d',
    '--name',
    'clock',
    '-p',
    '18086:80',
    'busybox',
    'sh',
    '-c',
    'while :; do date; sleep 1; done',
  );
  const seen = (await ask('/containers/clock/json')) as { State: { Pid: number; StartedAt: string } };
  const daemon = daemonPid();
  await installOver('2.0');
  expect(await inside('dpkg-query', '-W', '-f', '${Version} ${Status}', 'sampan')).toBe(
    '2.0 install ok installed',
  );
  expect(daemonPid()).not.toBe(daemon);
  const after = (await ask('/containers/clock/json')) as typeof seen;
  expect([after.State.Pid, after.State.StartedAt]).toEqual([seen.State.Pid, seen.State.StartedAt]);
  expect(existsSync(`/proc/${seen.State.Pid}`)).toBe(true);
  expect(await inside('sampan', 'exec', 'clock', 'echo', 'still here')).toBe('still here\n');
  expect(readFileSync(join(debian, 'etc/default/sampan'), 'utf8')).toContain(cgroupParent);
}, 400_000);

test('a removal stops containers and daemon, and leaves data and settings', async () => {
  await inside('sampan', 'start', 'clock');
  const { State } = (await ask('/containers/clock/json')) as { State: { Pid: number } };
  const daemon = daemonPid();
  await apt('remove', 'sampan');
  expect(existsSync(`/proc/${State.Pid}`)).toBe(false);
  expect(existsSync(`/proc/${daemon}`)).toBe(false);
  const words = await must(['ps', '-eo', 'args']);
  expect(words.split('\n').filter((line) => /\/usr\/lib\/sampan|^\S*conmon/.test(line))).toEqual([]);
  expect(existsSync(join(debian, 'usr/bin/docker'))).toBe(false);
  expect(existsSync(join(debian, 'var/lib/sampan/state.db'))).toBe(true);
  expect(readFileSync(join(debian, 'etc/default/sampan'), 'utf8')).toContain(cgroupParent);
  await installOver('2.0');
  expect(await inside('sampan', 'ps', '-a', '--format', '{{.Names}} {{.State}}')).toBe('clock exited\n');
}, 400_000);

test('a purge leaves what was before: no data, no settings, no mount, no interface', async () => {
  await inside('sampan', 'start', 'clock');
  await apt('purge', 'sampan');
  expect(filesThere()).toEqual(before);
  expect(mountPoints().filter((point) => /sampan/.test(point))).toEqual([]);
  expect(readdirSync(join(debian, 'run')).filter((name) => name.startsWith('sampan'))).toEqual([]);
  expect(await must(['nft', 'list', 'tables'])).not.toContain('sampan');
  expect((await must(['ip', '-o', 'link'])).match(/sampan0|ve[0-9a-f]{6,}/g)).toBeNull();
}, 400_000);

/** Every file of Docker's package, as it is. */
async function dockersFiles(): Promise<string> {
  const list =
    'dpkg -L docker.io | while read -r path; do [ -d "$path" ] || ls -l --time-style=+%s "$path"; done; dpkg --verify docker.io';
  return await inside('sh', '-c', list);
}

test('beside Docker nothing of Docker changes, and its name is ours only when it is gone', async () => {
  await apt('update');
  await apt('install', 'docker.io');
  const files = await dockersFiles();
  expect(files).toContain('/usr/bin/docker\n');
  settings();
  await installOver('1.0');
  expect(await dockersFiles()).toBe(files);
  expect(await ask('/version')).toMatchObject({ ApiVersion: '1.51' });
  expect(await inside('docker', '--version')).toStartWith('Docker version');
  expect(
    await inside('docker', '-H', 'unix:///run/sampan.sock', 'version', '--format', '{{.Server.APIVersion}}'),
  ).toBe('1.51\n');
  await apt('remove', 'sampan');
  expect(await dockersFiles()).toBe(files);
  await installOver('1.0');
  // Docker goes, and comes again.
  await apt('remove', 'docker.io');
  expect(readlinkSync(join(debian, 'usr/bin/docker'))).toBe('/etc/alternatives/docker');
  expect(await inside('docker', '--version')).toStartWith('Sampan version');
  await apt('install', 'docker.io');
  expect(await dockersFiles()).toBe(files);
  await apt('purge', 'sampan');
  expect(await dockersFiles()).toBe(files);
  expect(
    await inside(
      'sh',
      '-c',
      'find / -xdev -name "*sampan*" -not -path "/var/log/*" -not -path "/var/lib/dpkg/*"',
    ),
  ).toBe('');
}, 600_000);
