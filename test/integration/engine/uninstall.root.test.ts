import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type CommandResult, eventually, must, run } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { TestDaemon } from '../../support/engine/test-daemon.ts';

const SHARED_PARENT = '/sampan-shared-parent';
const OWN_PARENT = '/sampan-own-test';
const bin = (name: string) => resolve(import.meta.dir, '../../../bin', name);
let registry: SeedRegistry | undefined;
let engine: TestDaemon | undefined;
let before: Set<string>;
/** The lock of all engines lies in /run, which is the machine's. */
const run0 = mkdtempSync(join(tmpdir(), 'uninstall-'));

beforeAll(async () => {
  await must(['mount', '-t', 'tmpfs', 'run', '/run']);
  await must(['ip', 'link', 'set', 'lo', 'up']);
  registry = await startSeedRegistry();
}, 60_000);
afterEach(async () => {
  await engine?.close();
  engine = undefined;
}, 60_000);
afterAll(async () => {
  await registry?.close();
  await must(['umount', '-l', '/run']);
  rmSync(run0, { recursive: true, force: true });
});

const { hostState } = (await import(resolve(import.meta.dir, '../../../scripts/host-state.mjs'))) as {
  hostState: () => Set<string>;
};
const { renderUnit } = (await import(resolve(import.meta.dir, '../../../scripts/systemd.mjs'))) as {
  renderUnit: (name: string, options: { directory: string; dockerAlias: boolean }) => string;
};

/** A machine with an engine on it that has worked, what there was before it being noted. */
async function installed(options: { config?: Record<string, unknown> } = {}): Promise<TestDaemon> {
  before = state();
  engine = new TestDaemon({ mirrors: [registry?.url ?? ''], ...options });
  await engine.start();
  await engine.pull('busybox');
  await engine.out(['network', 'create', 'own']);
  await engine.out(['volume', 'create', 'data']);
  const kept = ['--restart', 'always', '--stop-timeout', '1', '-v', 'data:/data'];
  await engine.out([
    'run',
    '-d',
    '--name',
    'web',
    '--network',
    'own',
    '-p',
    '8080:80',
    ...kept,
    'busybox',
    'sleep',
    '600',
  ]);
  await engine.out([
    'run',
    '-d',
    '--name',
    'job',
    'busybox',
    'sh',
    '-c',
    'trap "exit 3" TERM; while :; do sleep 0.1; done',
  ]);
  await engine.out(['run', '--name', 'done', 'busybox', 'true']);
  return engine;
}

async function uninstall(of: TestDaemon, args: string[] = [], stdin = ''): Promise<CommandResult> {
  const roots = ['--data-root', of.dataRoot, '--exec-root', of.execRoot, '-p', join(of.root, 'pid')];
  return await run([bin('sampan'), 'uninstall', ...args, ...roots, '--config-file', of.configFile], {
    stdin,
  });
}

function state(): Set<string> {
  return new Set([...hostState(), ...processes()]);
}

/** Of this namespace: monitors, helpers, containers. */
function processes(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return /conmon|crun|sampand|daemon\/main\.ts|serve-(?:names|ports)|sleep 600|trap/.test(words)
          ? [`process ${words}`]
          : [];
      } catch {
        return [];
      }
    });
}

/** What is there now and wasn't. Of cgroups, which all the machine shares, only this engine's. */
function left(): string[] {
  const own = [SHARED_PARENT, OWN_PARENT, `/sampan-${suffixOf(engine?.dataRoot ?? '')}`];
  return [...state()].filter(
    (item) => !before.has(item) && (!item.startsWith('cgroup ') || own.some((name) => item.endsWith(name))),
  );
}

function suffixOf(dataRoot: string): string {
  return createHash('sha256').update(dataRoot).digest('hex').slice(0, 8);
}

test('a machine that an engine was taken off is as it was before', async () => {
  const { root, dataRoot, execRoot, socket } = await installed();
  expect(left().length).toBeGreaterThan(10);
  const { code, stdout, stderr } = await uninstall(engine as TestDaemon, ['-f']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('2 running containers, stopped first');
  expect(stdout).toEndWith('Removed\n');
  expect(left()).toEqual([]);
  expect(
    [dataRoot, execRoot, socket, join(root, 'pid'), '/run/sampan-network.lock'].filter((path) =>
      existsSync(path),
    ),
  ).toEqual([]);
  const again = await uninstall(engine as TestDaemon, ['-f']);
  expect([again.code, again.stdout]).toEqual([0, 'Nothing of this engine is on this machine.\n']);
}, 120_000);

test('nor does an engine whose daemon was killed leave anything, nor in other firewalls', async () => {
  await must(['nft', '-f', '-'], {
    stdin:
      'table ip filter { chain DOCKER-USER { }; chain FORWARD { type filter hook forward priority 0; policy drop; jump DOCKER-USER; }; }\n',
  });
  try {
    const killed = await installed();
    const user = () => must(['nft', 'list', 'chain', 'ip', 'filter', 'DOCKER-USER']);
    expect(await user()).toContain('accept comment "sampan_');
    await killed.stop('SIGKILL');
    const { code, stderr } = await uninstall(killed, ['-f']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(left()).toEqual([]);
    expect(await user()).not.toContain('accept');
    expect(existsSync(killed.dataRoot)).toBe(false);
  } finally {
    await must(['nft', 'delete', 'table', 'ip', 'filter']);
  }
}, 120_000);

test('a daemon that hangs is ended, and a container with it', async () => {
  const hanging = await installed();
  process.kill(hanging.pid, 'SIGSTOP');
  const { code, stderr } = await uninstall(hanging, ['-f']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(left()).toEqual([]);
}, 120_000);

test('it asks first, and who does not say yes keeps all', async () => {
  const kept = await installed();
  for (const answer of ['n\n', '\n', '']) {
    const { code, stdout } = await uninstall(kept, [], answer);
    expect([code, stdout]).toEqual([0, expect.stringContaining('Are you sure you want to continue? [y/N]')]);
    expect(stdout).toContain(`${kept.dataRoot}: all images, containers, volumes`);
  }
  expect(await kept.out(['ps', '--format', '{{.Names}}'])).toBe('job\nweb');
  const yes = await uninstall(kept, [], 'y\n');
  expect([yes.code, left()]).toEqual([0, []]);
}, 120_000);

test('--keep-data: images, containers and volumes are there for the next engine', async () => {
  const kept = await installed();
  await kept.out(['exec', 'web', 'sh', '-c', 'echo text > /data/file']);
  const { code, stdout } = await uninstall(kept, ['-f', '--keep-data']);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`Kept is ${kept.dataRoot}.`)]);
  expect(left()).toEqual([]);
  await kept.stop();
  await kept.start();
  // As Docker has it: who is to run always does when a daemon comes.
  const listed = await kept.out(['ps', '-a', '--format', '{{.Names}} {{.State}}']);
  expect(listed).toBe('done exited\njob exited\nweb running');
  expect(await kept.out(['inspect', '-f', '{{.State.ExitCode}}', 'job'])).toBe('3');
  expect(await kept.out(['exec', 'web', 'cat', '/data/file'])).toBe('text');
}, 120_000);

test('an engine beside another goes alone', async () => {
  const other = await new TestDaemon({ mirrors: [registry?.url ?? ''], bip: '10.213.1.1/24' }).start();
  try {
    const gone = await installed();
    // With the pid file of the other one, and the roots of this one.
    const roots = [
      '--data-root',
      gone.dataRoot,
      '--exec-root',
      gone.execRoot,
      '--config-file',
      gone.configFile,
    ];
    const { code, stderr } = await run([
      bin('sampand'),
      'uninstall',
      '-f',
      ...roots,
      '-p',
      join(other.root, 'pid'),
    ]);
    // Its own daemon was not found: its lock says that it runs.
    expect([code, stderr]).toEqual([1, expect.stringContaining('is held by another process')]);
    const half = await run([bin('sampand'), 'uninstall', '-f', '--data-root', gone.dataRoot]);
    expect([half.code, half.stderr]).toEqual([
      1,
      expect.stringContaining('name --data-root and --exec-root'),
    ]);
    expect((await uninstall(gone, ['-f'])).code).toBe(0);
    expect(left()).toEqual([]);
    expect(await other.out(['run', '--rm', 'busybox', 'echo', 'fine'])).toBe('fine');
  } finally {
    await other.close();
  }
}, 120_000);

test("what isn't an engine's is refused or left alone, and so is what is mounted there", async () => {
  const kept = await installed();
  const foreign = join(run0, 'photos');
  mkdirSync(foreign, { recursive: true });
  writeFileSync(join(foreign, 'one.jpg'), '');
  const refused = await run([
    bin('sampand'),
    'uninstall',
    '-f',
    '--data-root',
    foreign,
    '--exec-root',
    kept.execRoot,
  ]);
  expect([refused.code, refused.stderr]).toEqual([
    1,
    `sampand: Cannot remove ${foreign}: it is no data root of this engine\nName the one that is: --data-root PATH.\n`,
  ]);
  const disk = join(kept.dataRoot, 'volumes/disk');
  mkdirSync(disk);
  await must(['mount', '-t', 'tmpfs', 'disk', disk]);
  const mounted = await uninstall(kept, ['-f']);
  expect([mounted.code, mounted.stderr]).toEqual([1, expect.stringContaining(`${disk} is mounted in it`)]);
  expect(await kept.out(['ps', '--format', '{{.Names}}'])).toBe('job\nweb');
  await must(['umount', disk]);
  writeFileSync(join(kept.dataRoot, 'notes.txt'), 'mine');
  const { code, stdout } = await uninstall(kept, ['-f']);
  expect([code, readdirSync(kept.dataRoot), left()]).toEqual([0, ['notes.txt'], []]);
  expect(stdout).toContain(`Left alone, since it isn't the engine's: ${kept.dataRoot}/notes.txt`);
}, 120_000);

test('of a cgroup that others share only its own containers are ended', async () => {
  const parent = SHARED_PARENT;
  const shared = await installed({ config: { 'cgroup-parent': parent } });
  const others = readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name, parent, 'others'));
  const folders = (
    existsSync('/sys/fs/cgroup/cgroup.controllers') ? [join('/sys/fs/cgroup', parent, 'others')] : others
  ).filter((path) => existsSync(resolve(path, '..')));
  for (const path of folders) mkdirSync(path);
  try {
    await shared.stop('SIGKILL');
    expect((await uninstall(shared, ['-f'])).code).toBe(0);
    expect(folders.filter((path) => existsSync(path))).toEqual(folders);
    expect(
      folders.flatMap((path) =>
        readdirSync(resolve(path, '..')).filter((name) => /^[0-9a-f]{64}$/.test(name)),
      ),
    ).toEqual([]);
  } finally {
    for (const path of folders) await run(['rmdir', path, resolve(path, '..')]);
  }
  expect(left()).toEqual([]);
}, 120_000);

test("the machine's own engine goes with its units, configuration and log, other people's units stay", async () => {
  const places = ['/etc/systemd/system', '/etc', '/var/lib', '/var/log'];
  const [units = '', etc = '', lib = '', log = ''] = places.map((_, at) => join(run0, `own-${at}`));
  for (const folder of [units, etc, lib, log]) mkdirSync(folder);
  await must([
    'sh',
    '-ec',
    'cp -a /etc/passwd /etc/group /etc/resolv.conf /etc/hosts /etc/nsswitch.conf "$1"; mkdir -p "$1/systemd/system" "$1/sampan"',
    'sh',
    etc,
  ]);
  for (const [from, to] of [
    [etc, '/etc'],
    [units, '/etc/systemd/system'],
    [lib, '/var/lib'],
    [log, '/var/log'],
  ] as const)
    await must(['mount', '--bind', from, to]);
  try {
    before = state();
    // A cgroup of its own: by its data root it would be that of an engine on this machine.
    writeFileSync('/etc/sampan/daemon.json', JSON.stringify({ 'cgroup-parent': OWN_PARENT }));
    for (const name of ['sampan.service', 'sampan.socket'])
      writeFileSync(join(units, name), renderUnit(name, { directory: '/opt/sampan', dockerAlias: true }));
    mkdirSync(join(units, 'multi-user.target.wants'));
    symlinkSync('/etc/systemd/system/sampan.service', join(units, 'multi-user.target.wants/sampan.service'));
    symlinkSync('/etc/systemd/system/sampan.service', join(units, 'docker.service'));
    writeFileSync(join(units, 'other.service'), '[Unit]\n');
    writeFileSync('/var/log/sampan.log', 'started\n');
    const daemon = Bun.spawn([bin('sampand')], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
      cwd: '/',
    });
    await eventually(() => existsSync('/run/sampan.sock') && existsSync('/run/sampan.pid'), {
      timeoutMs: 20_000,
      what: () => 'the daemon',
    });
    const { code, stdout, stderr } = await run([bin('sampan'), 'uninstall', '-f']);
    await daemon.exited;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain("systemd's units sampan.service, sampan.socket");
    expect(left()).toEqual([]);
    expect(readdirSync(units).toSorted()).toEqual(['multi-user.target.wants', 'other.service']);
    expect(readdirSync(join(units, 'multi-user.target.wants'))).toEqual([]);
    expect([
      readdirSync(lib),
      readdirSync(log),
      existsSync('/etc/sampan'),
      existsSync('/run/sampan'),
    ]).toEqual([[], [], false, false]);
  } finally {
    for (const place of places) await run(['umount', '-l', place]);
  }
}, 120_000);
