import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeCgroup } from '../../support/engine/host-traces.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let cdi = '';

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.stop();
  cdi = join(engine.root, 'cdi');
  mkdirSync(cdi);
  writeFileSync(join(cdi, 'vendor.yaml'), VENDOR);
  engine.configure({ 'cdi-spec-dirs': [cdi] });
  await engine.start();
  await engine.pull('busybox');
  writeFileSync(file('env'), '# comment\nFROM_FILE=yes\n');
  writeFileSync(file('labels'), 'from=file\n');
  writeFileSync(file('seccomp.json'), SECCOMP);
});
afterAll(async () => {
  await engine.close();
  for (const controller of readdirSync('/sys/fs/cgroup'))
    await removeCgroup(join('/sys/fs/cgroup', controller, GROUP));
  await registry?.close();
});

const VENDOR = `
cdiVersion: "0.6.0"
kind: vendor.com/class
devices:
  - name: one
    containerEdits:
      env: ["VENDOR=one"]
      deviceNodes: [{ path: /dev/vendor, hostPath: /dev/null, permissions: rw }]
`;
/** All is allowed but to change a file's mode. */
const SECCOMP = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['chmod', 'fchmod', 'fchmodat', 'fchmodat2'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
});
/** Docker leaves a parent that it was given, too. */
const GROUP = '/sampan-flags-test';
const file = (name: string) => join(engine.root, name);
const plain = ['--network', 'none'];
const caps = 'grep CapEff /proc/self/status';
/** The container's folder in a controller of cgroup v1; the whole tree is there, read-only. */
const group = (controller: string, name: string) => `cat /sys/fs/cgroup/${controller}/${name}`;

/** What is typed, what runs, what it prints. `@name` stands for a file of the test's. */
const effects: [flag: string, args: string[], command: string, printed: string | RegExp][] = [
  ['--user', ['-u', '5:6'], 'id', 'uid=5 gid=6 groups=6'],
  ['--group-add', ['-u', '5', '--group-add', '77'], 'id -G', '0 77'],
  ['--workdir', ['-w', '/a/b'], 'pwd', '/a/b'],
  ['--env', ['-e', 'A=b c', '-e', 'EMPTY='], 'echo "$A|$EMPTY|${EMPTY-unset}"', 'b c||'],
  ['--env-file', ['--env-file', '@env'], 'echo $FROM_FILE', 'yes'],
  ['--entrypoint', ['--entrypoint', '/bin/echo'], 'x', '-c x'],
  ['--hostname', ['-h', 'me'], 'hostname; cat /etc/hostname', 'me\nme'],
  [
    '--domainname',
    ['-h', 'me', '--domainname', 'dom.example'],
    'cat /proc/sys/kernel/domainname',
    'dom.example',
  ],
  ['--tty', ['-t'], 'test -t 1 && echo tty', 'tty'],
  ['--memory', ['-m', '64m'], group('memory', 'memory.limit_in_bytes'), '67108864'],
  [
    '--memory-reservation',
    ['--memory-reservation', '32m'],
    group('memory', 'memory.soft_limit_in_bytes'),
    '33554432',
  ],
  ['--memory-swappiness', ['--memory-swappiness', '7'], group('memory', 'memory.swappiness'), '7'],
  ['--cpu-shares', ['-c', '512'], group('cpu', 'cpu.shares'), '512'],
  ['--cpus', ['--cpus', '0.5'], group('cpu', 'cpu.cfs_quota_us'), '50000'],
  [
    '--cpu-period',
    ['--cpu-period', '50000', '--cpu-quota', '20000'],
    group('cpu', 'cpu.cfs_period_us'),
    '50000',
  ],
  ['--cpu-quota', ['--cpu-quota', '20000'], group('cpu', 'cpu.cfs_quota_us'), '20000'],
  [
    '--cpuset-cpus',
    ['--cpuset-cpus', '0'],
    'grep Cpus_allowed_list /proc/self/status',
    'Cpus_allowed_list:\t0',
  ],
  [
    '--cpuset-mems',
    ['--cpuset-mems', '0'],
    'grep Mems_allowed_list /proc/self/status',
    'Mems_allowed_list:\t0',
  ],
  ['--pids-limit', ['--pids-limit', '33'], group('pids', 'pids.max'), '33'],
  ['--oom-score-adj', ['--oom-score-adj', '300'], 'cat /proc/self/oom_score_adj', '300'],
  [
    '--oom-kill-disable',
    ['-m', '64m', '--oom-kill-disable'],
    group('memory', 'memory.oom_control'),
    /^oom_kill_disable 1/,
  ],
  [
    '--device-read-bps',
    ['--device-read-bps', '/dev/vda:1mb'],
    group('blkio', 'blkio.throttle.read_bps_device'),
    '254:0 1048576',
  ],
  [
    '--device-write-bps',
    ['--device-write-bps', '/dev/vda:2mb'],
    group('blkio', 'blkio.throttle.write_bps_device'),
    '254:0 2097152',
  ],
  [
    '--device-read-iops',
    ['--device-read-iops', '/dev/vda:100'],
    group('blkio', 'blkio.throttle.read_iops_device'),
    '254:0 100',
  ],
  [
    '--device-write-iops',
    ['--device-write-iops', '/dev/vda:200'],
    group('blkio', 'blkio.throttle.write_iops_device'),
    '254:0 200',
  ],
  ['--ulimit', ['--ulimit', 'nofile=123:456'], 'ulimit -n; ulimit -Hn', '123\n456'],
  ['--shm-size', ['--shm-size', '3m'], 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2', '3072'],
  [
    '--sysctl',
    ['--sysctl', 'net.ipv4.ip_forward=1', '--sysctl', 'kernel.msgmax=9000'],
    'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax',
    '1\n9000',
  ],
  [
    '--device',
    ['--device', '/dev/fuse:/dev/mine:r'],
    '(exec 3</dev/mine) && echo read; exec 4>/dev/mine',
    /^read\n.*not permitted/s,
  ],
  [
    '--device CDI',
    ['--device', 'vendor.com/class=one'],
    'echo $VENDOR; echo x > /dev/vendor && stat -c %t:%T /dev/vendor',
    'one\n1:3',
  ],
  [
    '--device-cgroup-rule',
    ['--device-cgroup-rule', 'c 1:7 rwm'],
    'mknod /x c 1 7 && head -c 3 /x | wc -c',
    '3',
  ],
  ['--cap-add', ['--cap-add', 'NET_ADMIN'], caps, /CapEff:\t00000000a80435fb/],
  ['--cap-drop', ['--cap-drop', 'ALL', '--cap-add', 'chown'], caps, 'CapEff:\t0000000000000001'],
  ['--cap-add ALL', ['--cap-add', 'ALL', '--cap-drop', 'SYS_ADMIN'], caps, /CapEff:\t000001fffedfffff/],
  ['--privileged', ['--privileged'], 'test -e /dev/vda && grep Seccomp: /proc/self/status', 'Seccomp:\t0'],
  ['seccomp default', [], 'grep Seccomp: /proc/self/status', 'Seccomp:\t2'],
  [
    'seccomp=unconfined',
    ['--security-opt', 'seccomp=unconfined'],
    'grep Seccomp: /proc/self/status',
    'Seccomp:\t0',
  ],
  [
    'seccomp=builtin',
    ['--security-opt', 'seccomp=builtin'],
    'grep Seccomp: /proc/self/status',
    'Seccomp:\t2',
  ],
  ['seccomp=profile', ['--security-opt', 'seccomp=@seccomp.json'], 'chmod 700 /tmp', /not permitted/],
  ['apparmor', ['--security-opt', 'apparmor=unconfined'], 'echo runs', 'runs'],
  ['label', ['--security-opt', 'label=disable'], 'echo runs', 'runs'],
  [
    'no-new-privileges',
    ['--security-opt', 'no-new-privileges'],
    'grep NoNewPrivs /proc/self/status',
    'NoNewPrivs:\t1',
  ],
  [
    'systempaths',
    ['--security-opt', 'systempaths=unconfined'],
    'grep -c " /proc/" /proc/self/mountinfo',
    '0',
  ],
  ['--read-only', ['--read-only'], 'echo x > /x', /Read-only file system/],
  [
    '--tmpfs',
    ['--tmpfs', '/run/t:size=64k,mode=1700,exec'],
    'grep " /run/t " /proc/mounts',
    /tmpfs rw,nosuid,nodev,.*size=64k,mode=1700/,
  ],
  ['--pid', ['--pid', 'host'], 'test "$$" -gt 1 && echo host', 'host'],
  ['--ipc', ['--ipc', 'none'], 'ls /dev/shm 2>&1', /No such file|^$/],
  [
    '--uts',
    ['--uts', 'host'],
    'test "$(hostname)" = "$(cat /proc/sys/kernel/hostname)" && echo same',
    'same',
  ],
  ['--cgroupns', ['--cgroupns', 'private'], 'grep -c ":memory:/$" /proc/self/cgroup', '1'],
  ['--userns', ['--userns', 'host'], 'cat /proc/self/uid_map | tr -s " "', ' 0 0 4294967295'],
  [
    '--cgroup-parent',
    ['--cgroup-parent', GROUP],
    'grep -c ":/sampan-flags-test/" /proc/self/cgroup | grep -v "^0"',
    /\d+/,
  ],
  ['--init', ['--init'], 'cat /proc/1/comm', /init|tini/],
  ['--stop-signal', ['--stop-signal', 'USR1'], 'echo runs', 'runs'],
  ['--add-host', ['--add-host', 'db:10.1.2.3'], 'grep db /etc/hosts', '10.1.2.3\tdb'],
  [
    '--dns',
    ['--dns', '9.9.9.9', '--dns-search', 'a.example', '--dns-option', 'ndots:3'],
    'cat /etc/resolv.conf',
    /nameserver 9.9.9.9\nsearch a.example\noptions ndots:3/,
  ],
  ['--runtime', ['--runtime', 'crun'], 'echo runs', 'runs'],
  ['--isolation', ['--isolation', 'default'], 'echo runs', 'runs'],
  ['--platform', ['--platform', 'linux/amd64'], 'echo runs', 'runs'],
  ['--log-driver', ['--log-driver', 'none'], 'echo runs', 'runs'],
  ['--pull', ['--pull', 'never'], 'echo runs', 'runs'],
  ['--kernel-memory', ['--kernel-memory', '10m'], 'echo runs', 'runs'],
  ['--cpu-rt-period', ['--cpu-rt-period', '1000000'], group('cpu', 'cpu.rt_period_us'), '1000000'],
  ['--network', ['--network', 'none'], 'ls /sys/class/net', 'lo'],
  ['--attach', ['-a', 'stdout'], 'echo out; echo err >&2', 'out'],
  ['--interactive', ['-i'], 'cat', 'typed'],
];

const fill = (args: readonly string[]) =>
  args.map((arg) => arg.replace(/@(env|labels|seccomp\.json)$/, (_all, name: string) => file(name)));
const needsCgroupV1 = (command: string) => command.includes('/sys/fs/cgroup/');

test.each(effects)('run %s has its effect in the container', async (_flag, args, command, printed) => {
  const network = args.includes('--network') ? [] : plain;
  const { stdout, stderr } = await engine.run(
    [
      'run',
      '--rm',
      ...network,
      ...fill(args),
      'busybox',
      ...(args.includes('--entrypoint') ? ['-c', command] : ['sh', '-c', command]),
    ],
    { stdin: 'typed' },
  );
  const text = `${stdout}${/WARNING|out\n/.test(stdout + stderr) ? '' : stderr}`
    .replaceAll('\r', '')
    .trimEnd();
  if (needsCgroupV1(command) && /No such file/.test(stderr)) throw new Error(`No such limit: ${stderr}`);
  if (typeof printed === 'string') expect(text).toBe(printed);
  else expect(text).toMatch(printed);
});

/** What Docker 28.5 says of each, its first line. The client takes a file that is not there for a command. */
const refusals: [args: string[], text: string | RegExp][] = [
  [
    ['--device', '/dev/nope'],
    'error gathering device information while adding custom device "/dev/nope": no such file or directory',
  ],
  [
    ['--device', '/etc/passwd'],
    'error gathering device information while adding custom device "/etc/passwd": not a device node',
  ],
  [
    ['--device', 'vendor.com/class=name'],
    'CDI device injection failed: unresolvable CDI devices vendor.com/class=name',
  ],
  [['--gpus', 'all'], 'could not select device driver "" with capabilities: [[gpu]]'],
  [
    ['--storage-opt', 'size=1g'],
    "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
  ],
  [['--storage-opt', 'foo=1g'], 'Unknown option foo'],
  [
    ['--ipc', 'host', '--sysctl', 'kernel.msgmax=1'],
    'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace',
  ],
  [['--device-read-bps', '/dev/nope:1mb'], 'stat /dev/nope: no such file or directory'],
  [['--cap-add', 'NOPE'], 'invalid CapAdd: unknown capability: "CAP_NOPE"'],
  [['--runtime', 'foo'], 'unknown or invalid runtime name: foo'],
  [['--isolation', 'hyperv'], "invalid isolation (hyperv): linux only supports 'default'"],
  [['--tmpfs', '/x:foo'], 'invalid tmpfs option "foo"'],
  [['--group-add', 'nope'], 'unable to find group nope: no matching entries in group file'],
  [['-u', 'nope'], 'unable to find user nope: no matching entries in passwd file'],
  [['-m', '1m'], 'Minimum memory limit allowed is 6MB'],
  [['--cpus', '1000'], /^range of CPUs is from 0.01 to \d+.00, as there are only \d+ CPUs available$/],
  [['--cpuset-cpus', '999'], /^Requested CPUs are not available - requested 999, available: /],
  [['--oom-score-adj', '2000'], 'Invalid value 2000, range for oom score adj is [-1000, 1000]'],
  [['-w', 'relative'], "the working directory 'relative' is invalid, it needs to be an absolute path"],
  [['--stop-signal', 'NOPE'], 'invalid signal: NOPE'],
  [['--log-opt', 'nope=1'], "unknown log opt 'nope' for json-file log driver"],
];

test.each(refusals)('run %p is refused in the words of Docker', async (args, text) => {
  const { code, stderr } = await engine.run(['run', '--rm', ...plain, ...args, 'busybox', 'true']);
  const [first = ''] = stderr.split('\n').filter((line) => !line.startsWith('WARNING'));
  const said = first.replace('docker: Error response from daemon: ', '');
  if (typeof text === 'string') expect([code, said]).toEqual([/no such file/.test(text) ? 127 : 125, text]);
  else expect(said).toMatch(text);
});

test('what the host cannot give is told of, and the container runs', async () => {
  const { code, stderr } = await engine.run([
    'run',
    '--rm',
    ...plain,
    '--blkio-weight',
    '500',
    '--blkio-weight-device',
    '/dev/vda:500',
    'busybox',
    'true',
  ]);
  expect(code).toBe(0);
  expect(stderr).toBe(
    'WARNING: Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.\n' +
      'WARNING: Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.\n',
  );
});

test('what is only kept is shown by inspect', async () => {
  await engine.out([
    'create',
    '--name',
    'kept',
    '-l',
    'a=b',
    '--label-file',
    file('labels'),
    '--annotation',
    'x.y=z',
    '--expose',
    '99',
    '--stop-timeout',
    '7',
    '--device',
    '/dev/null:/dev/n:r',
    '--device-cgroup-rule',
    'c 1:3 mr',
    '--device-read-bps',
    '/dev/vda:1mb',
    '--cidfile',
    file('cid'),
    'busybox',
  ]);
  const { Config, HostConfig } = (await engine.inspect('kept')) as { Config: object; HostConfig: object };
  expect(Config).toMatchObject({
    Labels: { a: 'b', from: 'file' },
    ExposedPorts: { '99/tcp': {} },
    StopTimeout: 7,
  });
  expect(HostConfig).toMatchObject({
    Annotations: { 'x.y': 'z' },
    Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/n', CgroupPermissions: 'r' }],
    DeviceCgroupRules: ['c 1:3 mr'],
    BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 1048576 }],
  });
  await engine.out(['rm', 'kept']);
});

test('run --timing tells where the time went; what follows one after another adds up, and the daemon has its part', async () => {
  const { stdout, stderr, code } = await engine.run(
    ['run', '--rm', '--timing', 'busybox', 'sh', '-c', 'echo out; exit 3'],
    { client: 'sampan' },
  );
  expect([stdout, code]).toEqual(['out\n', 3]);
  const rows = [...stderr.matchAll(/^ *([\d.]+)( +)([\d.]+) {2}(.*)$/gm)].map(([, at, gap, took, name]) => ({
    at: Number(at),
    depth: ((gap ?? '').length + (took ?? '').length - 9) / 9,
    took: Number(took),
    name,
  }));
  const phases = rows.filter(({ depth, name }) => depth === 0 && name !== 'in all');
  expect(phases.map(({ name }) => name)).toEqual([
    'this program begun',
    'create',
    'attach and wait',
    'start',
    'the command, its output and its end',
  ]);
  const sum = phases.reduce((total, { took }) => total + took, 0);
  expect(Math.abs(sum - (rows.at(-1)?.took ?? 0))).toBeLessThan(1);
  const within = rows.filter(({ depth }) => depth > 0).map(({ name }) => name);
  expect(within).toContain('writable layer made');
  expect(within).toContain('network namespace made');
  expect(within).toContain('container made by the OCI runtime');
  const plain = await engine.run(['run', '--rm', 'busybox', 'true'], { client: 'sampan' });
  expect(plain.stderr).toBe('');
});
