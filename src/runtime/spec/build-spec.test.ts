import { afterAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RuntimeSpec } from '../runtime-spec.ts';
import { buildSpec } from './build-spec.ts';
import { noHardware, plainHostOptions } from './plain-host-options.ts';
import { readFileInRoot } from './root-path.ts';
import { compileSeccomp } from './seccomp.ts';
import { defaultSeccompProfile } from './seccomp-table.ts';
import type { SpecHostOptions, SpecInput } from './spec-input.ts';
import recorded from './testing/docker-28.5.json';

/** What runc got from Docker 28.5.2 on a cgroup v1 host, ids and paths made plain; the seccomp rules as a digest of their sorted form. */
const docker = recorded as unknown as Record<string, DockerSpec>;

interface DockerSpec {
  process: Omit<RuntimeSpec['process'], 'capabilities'> & { capabilities: string[] | undefined };
  root: unknown;
  hostname?: string;
  mounts: RuntimeSpec['mounts'];
  linux: RuntimeSpec['linux'] & { resources: { devices: unknown[]; [name: string]: unknown } };
  seccompDigest?: string;
  seccompHead?: Record<string, unknown>;
}

const root = mkdtempSync(join(tmpdir(), 'sampan-spec-'));
mkdirSync(join(root, 'etc'));
writeFileSync(
  join(root, 'etc/passwd'),
  'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n',
);
writeFileSync(join(root, 'etc/group'), 'root:x:0:\nuser:x:1000:\nextra:x:1001:user\n');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const plainResources = plainHostOptions.resources;
const files = ['resolv.conf', 'hostname', 'hosts'].map((name) => ({
  destination: `/etc/${name}`,
  type: 'bind',
  source: `/files/${name}`,
  options: ['rbind', 'rprivate'],
}));

function input(host: Partial<SpecHostOptions> = {}, more: Partial<SpecInput> = {}): SpecInput {
  return {
    containerId: '0123',
    rootDirectory: root,
    process: process_({}),
    host: { ...plainHostOptions, ...host },
    binds: [],
    mounts: files,
    namespacePaths: {},
    cgroupParent: '/parent',
    cgroupDriver: 'cgroupfs',
    cgroupVersion: '1',
    ...more,
  };
}

function process_(more: Partial<SpecInput['process']>): SpecInput['process'] {
  const args = ['sleep', '100'];
  return {
    args,
    env: [],
    workingDir: '',
    user: '',
    terminal: false,
    hostname: 'box',
    domainname: '',
    ...more,
  };
}

/** Both in one form: what Docker leaves out when it is empty, or says twice, is made alike. */
function alike(spec: DockerSpec | RuntimeSpec): unknown {
  const { process, linux } = spec;
  const { capabilities } = process;
  const {
    memory,
    blockIO: _blockIO,
    devices,
    ...resources
  } = (linux.resources ?? {}) as {
    memory?: Record<string, unknown>;
    blockIO?: unknown;
    devices?: unknown[];
  };
  const { disableOOMKiller: _killer, ...limits } = memory ?? {};
  return {
    process: {
      ...process,
      args: undefined,
      terminal: process.terminal ?? false,
      noNewPrivileges: process.noNewPrivileges ?? false,
      capabilities: [...(Array.isArray(capabilities) ? capabilities : (capabilities?.bounding ?? []))].sort(),
    },
    readonly: (spec.root as { readonly?: boolean }).readonly ?? false,
    hostname: spec.hostname,
    mounts: [...spec.mounts].sort((a, b) => (a.destination < b.destination ? -1 : 1)),
    linux: {
      ...linux,
      seccomp: undefined,
      devices: linux.devices ?? [],
      maskedPaths: linux.maskedPaths ?? [],
      readonlyPaths: linux.readonlyPaths ?? [],
      namespaces: linux.namespaces.map(({ type }) => type).sort(),
      resources: {
        ...resources,
        memory: limits,
        rules: [...new Set((devices ?? []).map((rule) => JSON.stringify(sorted(rule))))],
      },
    },
  };
}

function sorted(value: unknown): unknown {
  return Object.fromEntries(Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function digestOf(seccomp: Record<string, unknown> | undefined): string | undefined {
  if (seccomp === undefined) return undefined;
  const rules = (
    seccomp['syscalls'] as { names: string[]; action: string; errnoRet?: number; args?: unknown[] }[]
  ).map((rule) =>
    JSON.stringify([[...rule.names].sort(), rule.action, rule.errnoRet ?? null, rule.args ?? null]),
  );
  return new Bun.CryptoHasher('sha256').update(rules.sort().join('\n')).digest('hex');
}

function expectAsDocker(name: string, built: RuntimeSpec): void {
  expect(alike(built)).toEqual(alike(docker[name]!) as object);
}

describe('the spec is Docker’s', () => {
  test('plain', () => expectAsDocker('plain', buildSpec(input()).spec));

  test('many options', () => {
    const host: Partial<SpecHostOptions> = {
      capAdd: ['SYS_ADMIN', 'NET_ADMIN'],
      capDrop: ['CHOWN'],
      resources: {
        ...plainResources,
        memoryBytes: 64n << 20n,
        memoryReservationBytes: 32n << 20n,
        nanoCpus: 500_000_000n,
        cpuShares: 512,
        pidsLimit: 50,
        cpusetCpus: '0',
      },
      tmpfs: { '/t': 'size=1m,uid=5', '/plain': '' },
      readonlyRootfs: true,
      ulimits: [{ name: 'nofile', soft: 100, hard: 200 }],
      securityOpt: ['no-new-privileges'],
      groupAdd: ['44'],
      shmSizeBytes: 10 << 20,
      sysctls: { 'net.ipv4.ip_forward': '1' },
      oomScoreAdj: 100,
    };
    const binds = [
      { source: '/tmp', destination: '/tmpx', readOnly: true, propagation: 'rprivate' },
      { source: '/usr', destination: '/usrx', readOnly: false, propagation: 'rprivate' },
      { source: '/usr', destination: '/usry', readOnly: true, propagation: 'rprivate' },
      { source: '/volumes/vol', destination: '/vol', readOnly: false },
    ];
    const process = process_({
      terminal: true,
      user: 'user',
      workingDir: '/x',
      env: ['A=b'],
      hostname: 'h',
      domainname: 'dom',
    });
    const devices = [{ pathOnHost: '/dev/null', pathInContainer: '/dev/mynull', cgroupPermissions: 'rw' }];
    const hardware = { ...noHardware, devices };
    expectAsDocker('opts', buildSpec(input({ ...host, hardware }, { binds, process })).spec);
  });

  test('host namespaces, private cgroup namespace, no seccomp', () => {
    const host = {
      pidMode: 'host',
      ipcMode: 'host',
      utsMode: 'host',
      cgroupnsMode: 'private',
      securityOpt: ['seccomp=unconfined'],
    };
    const { spec } = buildSpec(input(host));
    expectAsDocker('hostm', spec);
    expect(spec.linux.seccomp).toBeUndefined();
  });

  test('all capabilities, a user by number with an entry, a read-only bind', () => {
    const binds = [{ source: '/tmp', destination: '/a', readOnly: true, propagation: 'rprivate' }];
    const { spec } = buildSpec(input({ capAdd: ['ALL'] }, { binds, process: process_({ user: '1000' }) }));
    const expected = structuredClone(docker['capall']!);
    // What all are depends on who runs the test.
    expected.process.capabilities = spec.process.capabilities?.bounding;
    expect(alike(spec)).toEqual(alike(expected) as object);
  });

  test('no capabilities, user and group by number, no shm, unlimited swap, own parent, bare system paths', () => {
    const host: Partial<SpecHostOptions> = {
      capDrop: ['ALL'],
      ipcMode: 'none',
      cgroupParent: '/foo',
      tmpfs: { '/b': 'mode=1770,size=100k' },
      maskedPaths: [],
      readonlyPaths: [],
      resources: { ...plainResources, memoryBytes: 100n << 20n, memorySwapBytes: -1n },
    };
    const { spec } = buildSpec(input(host, { process: process_({ user: '5:6' }) }));
    // Docker leaves this to runc.
    expect(spec.process.env.pop()).toBe('HOME=/');
    expectAsDocker('ipcnone', spec);
  });

  test('privileged', () => {
    const { spec } = buildSpec(input({ privileged: true }));
    expect(spec.linux.devices?.map(({ path }) => path)).toContain('/dev/null');
    const expected = structuredClone(docker['priv']!);
    expected.process.capabilities = spec.process.capabilities?.bounding;
    // Docker repeats its default rules before it allows everything.
    expected.linux.resources.devices = [{ allow: true, access: 'rwm' }];
    expect(alike({ ...spec, linux: { ...spec.linux, devices: [] } })).toEqual(alike(expected) as object);
    expect(spec.linux.seccomp).toBeUndefined();
  });
});

describe('seccomp lets through what Docker lets through', () => {
  const cases = ['plain', 'opts', 'capall', 'ipcnone'] as const;
  for (const name of cases) {
    test(name, () => {
      const { capabilities } = docker[name]!.process;
      const compiled = compileSeccomp(defaultSeccompProfile, {
        arch: 'amd64',
        kernel: '6.18.0',
        capabilities: capabilities ?? [],
      });
      expect(digestOf(compiled)).toBe(docker[name]!.seccompDigest);
      const { syscalls: _syscalls, ...head } = compiled;
      expect(head).toEqual(docker[name]!.seccompHead!);
    });
  }

  test('arm64 has its own architectures and no modify_ldt', () => {
    const compiled = compileSeccomp(defaultSeccompProfile, {
      arch: 'arm64',
      kernel: '6.1.0',
      capabilities: [],
    });
    expect(compiled['architectures']).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
    const names = (compiled['syscalls'] as { names: string[] }[]).flatMap((rule) => rule.names);
    expect(names).toContain('set_tls');
    expect(names).not.toContain('modify_ldt');
  });
});

test('in a user namespace: joined by its path, its maps told, and nothing asked for that the kernel keeps for the host', () => {
  const map = {
    uids: [{ containerId: 0, hostId: 100_000, size: 65_536 }],
    gids: [{ containerId: 0, hostId: 200_000, size: 65_536 }],
  };
  const { linux, mounts } = buildSpec(
    input(
      { ipcMode: 'host' },
      { userNamespace: { path: '/proc/1/ns/user', map }, process: process_({ domainname: 'dom' }) },
    ),
  ).spec;
  expect(linux.namespaces).toContainEqual({ type: 'user', path: '/proc/1/ns/user' });
  expect(linux.uidMappings).toEqual([{ containerID: 0, hostID: 100_000, size: 65_536 }]);
  expect(linux.gidMappings).toEqual([{ containerID: 0, hostID: 200_000, size: 65_536 }]);
  expect(linux.sysctl).toEqual({ 'net.ipv4.ip_unprivileged_port_start': '0' });
  expect(mounts.filter(({ type }) => type === 'mqueue')).toEqual([]);
});

function limits(more: Partial<SpecHostOptions['resources']>): Partial<SpecHostOptions> {
  return { resources: { ...plainResources, ...more } };
}

test('a cgroup parent that climbs stays below the root', () => {
  expect(buildSpec(input({ cgroupParent: '/a/../../..' })).spec.linux.cgroupsPath).toBe('/0123');
});

test('cgroups are read-only unless it is privileged, or said otherwise', () => {
  const isReadOnly = (more: Partial<SpecHostOptions>) =>
    buildSpec(input(more))
      .spec.mounts.find(({ type }) => type === 'cgroup')
      ?.options?.includes('ro');
  expect(isReadOnly({})).toBe(true);
  expect(isReadOnly({ privileged: true })).toBe(false);
  for (const word of ['', '=true', '=1'])
    expect(isReadOnly({ securityOpt: [`writable-cgroups${word}`] })).toBe(false);
  expect(isReadOnly({ privileged: true, securityOpt: ['writable-cgroups=false'] })).toBe(true);
});

test('a propagation that nobody asked for gives way where the mount has no peers', () => {
  // procfs is shared with nobody, wherever the tests run.
  const bind = { source: '/proc/1', destination: '/p', readOnly: false, propagation: 'rslave' };
  const { spec } = buildSpec(input({}, { binds: [{ ...bind, propagationImplied: true }] }));
  expect(spec.mounts.find(({ destination }) => destination === '/p')?.options).toContain('rprivate');
  expect(spec.linux.rootfsPropagation).toBeUndefined();
  expect(() => buildSpec(input({}, { binds: [bind] }))).toThrow('it is not a shared or slave mount');
});

describe('what is refused', () => {
  const cases: [string, Partial<SpecHostOptions>, Partial<SpecInput>, string][] = [
    ['an unknown capability', { capAdd: ['NOSUCH'] }, {}, 'invalid CapAdd: unknown capability: "CAP_NOSUCH"'],
    ['an unknown security option', { securityOpt: ['foo=bar'] }, {}, 'invalid --security-opt 2: "foo=bar"'],
    [
      'a word for cgroups that is none',
      { securityOpt: ['writable-cgroups=potato'] },
      {},
      'invalid --security-opt 2: "writable-cgroups=potato"',
    ],
    [
      'a seccomp profile that is no JSON',
      { securityOpt: ['seccomp={'] },
      {},
      'Decoding seccomp profile failed',
    ],
    [
      'a user without entry',
      {},
      { process: process_({ user: 'nosuch' }) },
      'unable to find user nosuch: no matching entries in passwd file',
    ],
    [
      'a group without entry',
      {},
      { process: process_({ user: '1:nosuch' }) },
      'unable to find group nosuch: no matching entries in group file',
    ],
    [
      'an id out of range',
      {},
      { process: process_({ user: '2147483648' }) },
      'uids and gids must be in range 0-2147483647',
    ],
    [
      'an id below zero',
      {},
      { process: process_({ user: '-1' }) },
      'uids and gids must be in range 0-2147483647',
    ],
    [
      'a folder without devices',
      {
        hardware: {
          ...noHardware,
          devices: [{ pathOnHost: '/etc', pathInContainer: '/etc', cgroupPermissions: '' }],
        },
      },
      {},
      'error gathering device information while adding custom device "/etc": not a device node',
    ],
    [
      'an added group without entry',
      { groupAdd: ['nosuch'] },
      {},
      'unable to find group nosuch: no matching entries in group file',
    ],
    ['an unknown ulimit', { ulimits: [{ name: 'x', soft: 1, hard: 1 }] }, {}, 'invalid ulimit type: x'],
    [
      'an OOM score out of range',
      { oomScoreAdj: 1001 },
      {},
      'Invalid value 1001, range for oom score adj is [-1000, 1000]',
    ],
    ['an option that tmpfs has not', { tmpfs: { '/t': 'nosuch' } }, {}, 'invalid tmpfs option "nosuch"'],
    [
      'a tmpfs value that brings another option',
      { tmpfs: { '/t': 'size=1m\\,x=y z' } },
      {},
      'invalid tmpfs option',
    ],
    ['little memory', limits({ memoryBytes: 4n << 20n }), {}, 'Minimum memory limit allowed is 6MB'],
    [
      'less swap than memory',
      limits({ memoryBytes: 6n << 20n, memorySwapBytes: 3n << 20n }),
      {},
      'Minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [
      'a CPU that is not there',
      limits({ cpusetCpus: '4099' }),
      {},
      'Requested CPUs are not available - requested 4099',
    ],
    [
      'a list of CPUs that is none',
      limits({ cpusetCpus: 'x' }),
      {},
      'Invalid value x for cpuset cpus: invalid format: x',
    ],
    ['a short period', limits({ cpuPeriodUs: 10 }), {}, 'CPU cfs period can not be less than 1ms'],
    ['a NUL byte', {}, { process: process_({ args: ['a\0b'] }) }, 'NUL byte'],
    ['no command', {}, { process: process_({ args: [] }) }, 'no command specified'],
  ];
  for (const [name, host, more, message] of cases) {
    test(name, () => expect(() => buildSpec(input(host, more))).toThrow(message));
  }
});

describe('accounts come from inside the root only', () => {
  test('links that lead out are followed inside', () => {
    const inner = mkdtempSync(join(tmpdir(), 'sampan-spec-'));
    chmodSync(inner, 0o755);
    mkdirSync(join(inner, 'etc'));
    mkdirSync(join(inner, 'data'));
    symlinkSync('../../../../data/accounts', join(inner, 'etc/passwd'));
    symlinkSync('/../../../data/groups', join(inner, 'etc/group'));
    writeFileSync(join(inner, 'data/accounts'), 'who:x:77:78::/:/bin/sh\n');
    const { spec } = buildSpec(input({}, { rootDirectory: inner, process: process_({ user: 'who' }) }));
    expect(spec.process.user).toEqual({ uid: 77, gid: 78, additionalGids: [78] });
    rmSync(inner, { recursive: true });
  });

  test('what is no regular file is not even opened: to open a device can be to use it', async () => {
    const inner = mkdtempSync(join(tmpdir(), 'sampan-spec-'));
    mkdirSync(join(inner, 'etc'));
    const fifo = join(inner, 'etc/passwd');
    Bun.spawnSync(['mkfifo', fifo]);
    const opened = Bun.spawn(['sh', '-c', 'exec 3> "$0"', fifo]);
    while (!/^State:\s+S/m.test(readFileSync(`/proc/${opened.pid}/status`, 'utf8'))) await Bun.sleep(5);
    expect(readFileInRoot(inner, '/etc/passwd', 100)).toBeUndefined();
    expect(await Promise.race([opened.exited, Bun.sleep(200).then(() => 'waits for a reader')])).toBe(
      'waits for a reader',
    );
    opened.kill();
    await opened.exited;
    rmSync(inner, { recursive: true });
  });

  test('lines without sense are passed over', () => {
    const inner = mkdtempSync(join(tmpdir(), 'sampan-spec-'));
    mkdirSync(join(inner, 'etc'));
    writeFileSync(join(inner, 'etc/passwd'), '\0\n:::\nbad:x:-1:99999999999::\n# who:x:1:1\nwho:x:5:6\n');
    const { spec } = buildSpec(input({}, { rootDirectory: inner, process: process_({ user: 'who' }) }));
    expect(spec.process.user).toEqual({ uid: 5, gid: 6, additionalGids: [6] });
    expect(() => buildSpec(input({}, { rootDirectory: inner, process: process_({ user: 'bad' }) }))).toThrow(
      'no matching entries',
    );
    rmSync(inner, { recursive: true });
  });
});

test('the same input gives the same bytes', () => {
  const make = (): string => JSON.stringify(buildSpec(input({ tmpfs: { '/b': '', '/a': '' } })).spec);
  expect(make()).toBe(make());
});

test('an environment entry without value takes a default away', () => {
  const { spec } = buildSpec(input({}, { process: process_({ env: ['HOSTNAME', 'PATH=/bin', 'X=1=2'] }) }));
  expect(spec.process.env).toEqual(['PATH=/bin', 'X=1=2']);
});

test('a bind of the user wins over the file of the engine', () => {
  const binds = [{ source: '/mine', destination: '/etc/hosts', readOnly: false, propagation: 'rprivate' }];
  const { mounts } = buildSpec(input({}, { binds })).spec;
  expect(
    mounts.filter(({ destination }) => destination === '/etc/hosts').map(({ source }) => source),
  ).toEqual(['/mine']);
});

test('a joined namespace has its path; the systemd driver its slice', () => {
  const { spec } = buildSpec(
    input(
      { cgroupParent: 'my.slice' },
      { namespacePaths: { network: '/run/x/net' }, cgroupDriver: 'systemd' },
    ),
  );
  expect(spec.linux.namespaces).toContainEqual({ type: 'network', path: '/run/x/net' });
  expect(spec.linux.cgroupsPath).toBe('my.slice:sampan:0123');
});

test('a user who is in no passwd is at home in /, as under runc', () => {
  const homeOf = (user: string, env: string[] = []) =>
    buildSpec(input({}, { process: process_({ user, env }) })).spec.process.env.filter((text) =>
      text.startsWith('HOME='),
    );
  expect([homeOf('4711'), homeOf('4711', ['HOME=/x']), homeOf('user')]).toEqual([
    ['HOME=/'],
    ['HOME=/x'],
    [],
  ]);
  // An empty one is none: the runtime looks it up.
  expect([homeOf('4711', ['HOME=']), homeOf('user', ['HOME='])]).toEqual([['HOME=/'], []]);
});

test('a tmpfs over a directory takes its mode, unless another is asked for', () => {
  mkdirSync(join(root, 'own'));
  chmodSync(join(root, 'own'), 0o1770);
  const optionsOf = (tmpfs: Record<string, string>) =>
    buildSpec(input({ tmpfs })).spec.mounts.find(({ destination }) => destination in tmpfs)?.options;
  expect(optionsOf({ '/own': '' })).toContain('mode=1770');
  expect(optionsOf({ '/own': 'size=1m,mode=700' })).toContain('mode=700');
  expect(optionsOf({ '/own': 'size=1m,mode=700' })).not.toContain('mode=1770');
  expect(optionsOf({ '/absent': '' })?.join()).not.toContain('mode=');
});
