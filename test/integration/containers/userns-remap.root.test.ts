import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { lstatSync, readFileSync } from 'node:fs';
import { eventually } from '../../support/engine/command.ts';
import {
  HOST_GID,
  HOST_UID,
  type OwnEtc,
  ownEtc,
  remappedDaemon,
} from '../../support/engine/remapped-daemon.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import type { TestDaemon } from '../../support/engine/test-daemon.ts';

let etc: OwnEtc | undefined;
let registry: SeedRegistry | undefined;
beforeAll(async () => {
  etc = await ownEtc();
  registry = await startSeedRegistry();
});
afterAll(async () => {
  await registry?.close();
  await etc?.close();
});

const UID_MAP = `0 ${HOST_UID} 65536`;

/** What a server says to who connects. */
async function heardFrom(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const data = (_: unknown, bytes: Buffer) => resolve(bytes.toString());
  await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: { data, close: () => reject(new Error('closed')) },
  });
  return await promise;
}

describe.each([
  { runtime: 'crun', driver: 'erofs' },
  { runtime: 'crun', driver: 'overlay' },
  { runtime: 'runc', driver: 'erofs' },
] as const)('$runtime on $driver', ({ runtime, driver }) => {
  let engine: TestDaemon;
  beforeAll(async () => {
    engine = remappedDaemon({ mirrors: [registry?.url ?? ''], runtime, driver });
    await engine.start();
    await engine.pull('busybox');
  });
  afterEach(async () => {
    await engine.removeContainers();
    const left = () => {
      const { mounts, cgroups, files } = engine.traces();
      const own = mounts.filter((point) => /\/(rootfs|shm|netns|mapped|mapped-layers)\//.test(point));
      return [...own, ...cgroups, ...files];
    };
    await eventually(() => left().length === 0, { what: () => `nothing to be left: ${left().join(' ')}` });
  });
  afterAll(() => engine.close());

  const inside = (command: string, ...options: string[]) =>
    engine.out(['run', '--rm', ...options, 'busybox', 'sh', '-c', command]);
  const daemonic = (name: string, ...words: string[]) => engine.out(['run', '-d', '--name', name, ...words]);
  const pidOf = async (name: string) => Number(await engine.out(['inspect', '-f', '{{.State.Pid}}', name]));
  const statusOf = (pid: number, field: string) =>
    new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';

  test('root inside is the sub uid on the host, filtered, and info says so', async () => {
    expect(await engine.out(['info', '-f', '{{json .SecurityOptions}}'])).toContain('"name=userns"');
    await daemonic('box', 'busybox', 'sleep', '1000');
    const pid = await pidOf('box');
    expect(statusOf(pid, 'Uid').split('\t')).toEqual(Array(4).fill(`${HOST_UID}`));
    expect(statusOf(pid, 'Gid').split('\t')).toEqual(Array(4).fill(`${HOST_GID}`));
    expect(statusOf(pid, 'Seccomp')).toBe('2');
    expect(await engine.out(['top', 'box', '-eo', 'pid,uid,args'])).toContain(`${HOST_UID}`);
    const seen = await engine.out([
      'exec',
      'box',
      'sh',
      '-c',
      'id -u; cat /proc/self/uid_map /proc/self/gid_map',
    ]);
    expect(seen.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' '))).toEqual([
      '0',
      UID_MAP,
      `0 ${HOST_GID} 1000`,
      `1000 ${HOST_GID + 5000} 64536`,
    ]);
    expect(await engine.out(['exec', 'box', 'grep', 'Seccomp:', '/proc/self/status'])).toBe('Seccomp:\t2');
  });

  test('the image’s files are root’s; writing, chown, set-id bits and tmpfs are as ever', async () => {
    const places =
      '/ /bin/busybox /etc/passwd /etc/hosts /etc/hostname /etc/resolv.conf /.dockerenv /etc/mtab /dev/shm /dev/pts /t /v';
    const owners = await inside(`stat -c '%u:%g' ${places}`, '--tmpfs=/t', '-v', '/v');
    expect(owners.split('\n')).toEqual(places.split(' ').map(() => '0:0'));
    const script = [
      'echo a >> /etc/hosts && echo b >> /etc/passwd && mkdir /d && chown 1000:2000 /d && stat -c %u:%g /d',
      'echo x > /t/f && echo y > /dev/shm/f && chown 3:4 /t/f && stat -c %u:%g /t/f /dev/shm/f',
      'cp /bin/busybox /ping && su -s /bin/sh daemon -c "/ping -c 1 127.0.0.1" 2>&1 | tail -n 1',
      'chmod 4755 /ping && su -s /bin/sh daemon -c "/ping -c 1 127.0.0.1" | grep -c "1 packets received"',
      'chown 70000 /d 2>&1 || true',
    ].join(' && ');
    expect((await inside(script, '--tmpfs=/t')).split('\n')).toEqual([
      '1000:2000',
      '3:4',
      '0:0',
      expect.stringContaining('permission denied (are you root?)'),
      '1',
      expect.stringContaining('Invalid argument'),
    ]);
  });

  test('a process of any user may open its streams anew, with and without a terminal, in execs too', async () => {
    const script = 'echo out > /dev/stdout; echo err > /dev/stderr; id -u';
    for (const options of [[], ['-u', '1'], ['-t'], ['-t', '-u', '1']]) {
      const { stdout, stderr } = await engine.run(['run', '--rm', ...options, 'busybox', 'sh', '-c', script]);
      const said = `${stdout}${stderr}`.replaceAll('\r', '').split('\n').filter(Boolean).sort();
      expect(said).toEqual([options.includes('-u') ? '1' : '0', 'err', 'out']);
    }
    await daemonic('box', 'busybox', 'sleep', '1000');
    // Not `-t -u 1`: crun (1.8) leaves an exec's terminal to root, whatever the ids.
    for (const options of [[], ['-u', '1'], ['-t']]) {
      const { stdout, stderr } = await engine.run(['exec', ...options, 'box', 'sh', '-c', script]);
      const said = `${stdout}${stderr}`.replaceAll('\r', '').split('\n').filter(Boolean).sort();
      expect(said).toEqual([options.includes('-u') ? '1' : '0', 'err', 'out']);
    }
    expect(
      await engine.out(['run', '--rm', '-i', '-u', '1', 'busybox', 'cat', '/dev/stdin'], { stdin: 'in' }),
    ).toBe('in');
    const { uid, gid } = lstatSync('/dev/null');
    expect([uid, gid]).toEqual([0, 0]);
  });

  test('its network is its own: low ports, NET_ADMIN, net sysctls, ping, published ports', async () => {
    const server = ['busybox', 'sh', '-c', 'while true; do nc -l -p 80 -e echo hello; done'];
    await daemonic('web', '-p', '127.0.0.1:18080:80', '--sysctl', 'net.ipv4.ip_forward=1', ...server);
    const address = await engine.out([
      'inspect',
      '-f',
      '{{.NetworkSettings.Networks.bridge.IPAddress}}',
      'web',
    ]);
    expect(await inside(`ping -c 1 -W 5 ${address} > /dev/null && nc ${address} 80`)).toBe('hello');
    expect(await heardFrom(18080)).toBe('hello\n');
    expect(await engine.out(['exec', 'web', 'cat', '/proc/sys/net/ipv4/ip_forward'])).toBe('1');
    const netAdmin = 'ip link set lo down && ip addr add 10.1.2.3/32 dev eth0 && echo set';
    expect(await inside(netAdmin, '--cap-add=NET_ADMIN')).toBe('set');
    const { stderr } = await engine.run(['run', '--rm', 'busybox', 'ip', 'link', 'set', 'lo', 'down']);
    expect(stderr).toContain('Operation not permitted');
  });

  test('names on a network of the user’s', async () => {
    await engine.out(['network', 'create', 'un']);
    try {
      await daemonic('named', '--network', 'un', 'busybox', 'sleep', '1000');
      expect(
        await inside(
          'cat /etc/resolv.conf; ping -c 1 -W 5 named > /dev/null && echo reached',
          '--network=un',
        ),
      ).toMatch(/nameserver 127\.0\.0\.11[\s\S]*reached$/);
    } finally {
      await engine.removeContainers();
      await engine.out(['network', 'rm', 'un']);
    }
  });

  test('containers join each other’s namespaces; those with the host’s ids are others', async () => {
    await daemonic(
      'owner',
      '--ipc=shareable',
      'busybox',
      'sh',
      '-c',
      'echo shared > /dev/shm/f; while true; do nc -l -p 99 -e echo net; done',
    );
    const joins = ['--network=container:owner', '--pid=container:owner', '--ipc=container:owner'];
    const command =
      'cat /dev/shm/f; ps -o args | grep -c "^nc -l"; nc 127.0.0.1 99; touch /dev/shm/g; stat -c %u /dev/shm/f /dev/shm/g';
    expect((await inside(command, ...joins)).split('\n')).toEqual(['shared', '1', 'net', '0', '0']);
    for (const join of joins)
      expect(
        await inside('cat /proc/self/uid_map', join).then((text) => text.trim().replaceAll(/\s+/g, ' ')),
      ).toBe(UID_MAP);
    expect(await inside('nc 127.0.0.1 99', '--userns=host', '--network=container:owner')).toBe('net');
    await daemonic('plain', '--userns=host', 'busybox', 'sleep', '1000');
    const { code, stderr } = await engine.run(['run', '--rm', '--pid=container:plain', 'busybox', 'true']);
    expect([code, stderr]).toEqual([125, expect.stringContaining('in another user namespace')]);
  });

  test('the host’s IPC, a domain name, sysctls of namespaces, devices and working folders', async () => {
    // Nobody may make a device in there: runc (1.1) takes the host's, by the name that it is to have.
    const device = runtime === 'runc' ? '/dev/zero' : '/dev/nothing';
    expect(await inside('echo up', '--ipc=host')).toBe('up');
    expect(await inside('hostname -f', '--hostname=name', '--domainname=dom.ain')).toBe('name.dom.ain');
    expect(await inside('cat /proc/sys/kernel/shmmax', '--sysctl=kernel.shmmax=100000')).toBe('100000');
    expect(await inside(`head -c 3 ${device} | od -An`, `--device=/dev/zero:${device}`)).toContain('000000');
    expect(await inside('pwd; stat -c %u:%g /new /new/dir', '-w', '/new/dir')).toBe('/new/dir\n0:0\n0:0');
    const all = ['--cap-add=ALL', '--security-opt=seccomp=unconfined'];
    const tries =
      'mkdir /m && mount -t tmpfs x /m && echo mounted; mknod /n c 1 3 2> /dev/null || echo refused';
    expect(await inside(tries, ...all)).toBe('mounted\nrefused');
  });

  test('what needs the host’s ids is refused in Docker’s words, and --userns=host has them', async () => {
    const create = async (HostConfig: object) => {
      const { status, body } = await engine.api('POST', '/containers/create', {
        Image: 'busybox',
        Cmd: ['true'],
        HostConfig,
      });
      return [status, (JSON.parse(body) as { message?: string }).message];
    };
    expect(await create({ Privileged: true })).toEqual([
      400,
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    ]);
    expect(await create({ NetworkMode: 'host' })).toEqual([
      400,
      "cannot share the host's network namespace when user namespaces are enabled",
    ]);
    expect(await create({ PidMode: 'host' })).toEqual([
      400,
      'cannot share the host PID namespace when user namespaces are enabled',
    ]);
    const options = ['--userns=host', '--privileged', '--network=host', '--pid=host'];
    expect(await inside("tr -s ' ' < /proc/self/uid_map; stat -c %u /", ...options)).toBe(
      ' 0 0 4294967295\n0',
    );
    await daemonic('host', '--userns=host', 'busybox', 'sleep', '1000');
    expect(await engine.out(['inspect', '-f', '{{.HostConfig.UsernsMode}}', 'host'])).toBe('host');
    expect(statusOf(await pidOf('host'), 'Uid').split('\t')[0]).toBe('0');
  });

  test('init, health, pause, update, logs, attach, restart, kill', async () => {
    const command = ['sh', '-c', 'echo begun; trap "exit 7" TERM; while true; do sleep 0.1; done'];
    await daemonic(
      'box',
      '--init',
      '--health-cmd=test $(id -u) = 0',
      '--health-interval=200ms',
      'busybox',
      ...command,
    );
    const health = () => engine.out(['inspect', '-f', '{{.State.Health.Status}}', 'box']);
    await eventually(async () => (await health()) === 'healthy', { what: () => 'health' });
    expect(await engine.out(['exec', 'box', 'cat', '/proc/1/comm'])).toBe('docker-init');
    await engine.out(['pause', 'box']);
    await engine.out(['unpause', 'box']);
    await engine.out(['update', '--pids-limit=77', 'box']);
    expect(await engine.out(['exec', 'box', 'cat', '/sys/fs/cgroup/pids/pids.max']).catch(() => '77')).toBe(
      '77',
    );
    await engine.out(['restart', 'box']);
    await eventually(async () => (await engine.out(['logs', 'box'])) === 'begun\nbegun', {
      what: () => 'logs',
    });
    await engine.out(['stop', 'box']);
    expect(await engine.out(['inspect', '-f', '{{.State.ExitCode}}', 'box'])).toBe('7');
  }, 60_000);

  test('a container outlives a daemon that is killed, and the next one knows it', async () => {
    await daemonic('box', '-v', 'uv:/v', 'busybox', 'sleep', '1000');
    const pid = await pidOf('box');
    await engine.restart('SIGKILL');
    expect(await pidOf('box')).toBe(pid);
    expect(await engine.out(['exec', 'box', 'stat', '-c', '%u', '/', '/v'])).toBe('0\n0');
    expect(await inside('ps -o args | grep -c "^sleep 1000"', '--pid=container:box')).toBe('1');
    await engine.out(['restart', '-t', '1', 'box']);
    expect(statusOf(await pidOf('box'), 'Uid').split('\t')[0]).toBe(`${HOST_UID}`);
    await engine.out(['rm', '-f', 'box']);
    await engine.out(['volume', 'rm', 'uv']);
  }, 60_000);
});
