import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { eventually, must, run, start } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { OutsideHost } from './outside-host.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let outside: OutsideHost;

/** Of the machine, as the outside host sees it. */
const HOST = { v4: '198.51.100.1', v6: 'fd00:51::1' };

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
  outside = await OutsideHost.join({
    name: 'out0',
    machine: [`${HOST.v4}/24`, `${HOST.v6}/64`],
    host: ['198.51.100.2/24', 'fd00:51::2/64'],
  });
});
afterEach(async () => {
  await engine.removeContainers();
  await eventually(async () => !(await elements()).includes(':'), {
    what: () => 'the maps of ports to be empty',
  });
});
afterAll(async () => {
  await engine.close();
  await outside.close();
  await registry?.close();
});

const serving = (text: string, port = 80) => `while :; do nc -ll -p ${port} -e echo ${text}; done`;
const server = (name: string, options: readonly string[], script = serving(name)) =>
  engine.out(['run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', script]);
const inspect = (name: string, format: string) => engine.out(['inspect', '-f', format, name]);

/** What a server says there; '' where nobody listens. Between two clients `nc` doesn't for a moment. */
async function ask(address: string, port: number, prefix: readonly string[] = []): Promise<string> {
  for (let tries = 0; ; tries++) {
    const { stdout } = await run([...prefix, 'busybox', 'nc', '-w', '1', address, String(port)]);
    if (stdout !== '' || tries === 5) return stdout.trim();
    await Bun.sleep(50);
  }
}

/** Where a silence is expected: no second try but for the moment between two clients. */
async function askOnce(address: string, port: number, prefix: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run([...prefix, 'busybox', 'nc', '-w', '1', address, String(port)]);
  return stdout === '' && stderr.includes('refused') ? await ask(address, port, prefix) : stdout.trim();
}

const PEER = join(import.meta.dir, 'peer.ts');
const inside = async (name: string) => ['nsenter', '-t', await inspect(name, '{{.State.Pid}}'), '-n'];

/** Servers in a container's network that tell clients by which address they see them. */
async function servePeers(name: string): Promise<Disposable> {
  const peer = start([...(await inside(name)), process.execPath, PEER, 'serve', '80', '53']);
  await peer.until(/ready/);
  return { [Symbol.dispose]: () => peer.child.kill('SIGKILL') };
}

/** By which address a server sees us, by TCP and by UDP. */
async function seenAs(address: string, prefix: readonly string[]): Promise<string> {
  const by = (protocol: string, port: string) =>
    run([...prefix, process.execPath, PEER, 'ask', protocol, address, port]).then(({ stdout }) =>
      stdout.trim(),
    );
  return `${await by('tcp', '8080')} ${await by('udp', '5353')}`;
}

/** Processes that hold ports of this daemon. */
async function helpers(): Promise<number[]> {
  const { stdout } = await run(['pgrep', '-f', `serve-ports.ts ${engine.execRoot}/`]);
  return stdout.split('\n').filter(Boolean).map(Number);
}

async function elements(): Promise<string> {
  const rules = await must(['nft', 'list', 'ruleset']);
  const lines = rules.match(/elements = \{[^}]*\}/g) ?? [];
  return lines.filter((line) => line.includes('tcp') || line.includes('udp')).join('\n');
}

test('a port on 127.0.0.1 is reached from the machine, not from outside, and freed at the end', async () => {
  await server('web', ['-p', '127.0.0.1:8080:80']);
  await eventually(async () => (await ask('127.0.0.1', 8080)) === 'web');
  expect(await ask(HOST.v4, 8080, outside.prefix)).toBe('');
  expect(await inspect('web', '{{json .NetworkSettings.Ports}} {{json .HostConfig.PortBindings}}')).toBe(
    '{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]} {"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}',
  );
  expect(await engine.out(['ps', '--format', '{{.Ports}}'])).toBe('127.0.0.1:8080->80/tcp');
  expect(await engine.out(['port', 'web'])).toBe('80/tcp -> 127.0.0.1:8080');
  await engine.out(['stop', '-t', '0', 'web']);
  expect(await inspect('web', '{{json .NetworkSettings.Ports}}')).toBe('{}');
  await engine.out(['run', '--rm', '-p', '127.0.0.1:8080:80', 'busybox', 'true']);
});

test('who reaches a published port, over which address, and as whom: TCP and UDP, both families', async () => {
  await server('web', ['-p', '8080:80', '-p', '5353:53/udp'], 'sleep 1000');
  await server('other', []);
  await engine.out(['network', 'create', 'apart']);
  await server('foreign', ['--network', 'apart']);
  using _peers = await servePeers('web');
  const gateway = await inspect('web', '{{.NetworkSettings.Gateway}}');
  const places: [string, readonly string[], Record<string, string>][] = [
    [
      'machine',
      [],
      { '127.0.0.1': gateway, '::1': gateway, [HOST.v4]: HOST.v4, [HOST.v6]: gateway, [gateway]: gateway },
    ],
    ['outside', outside.prefix, { [HOST.v4]: '198.51.100.2', [HOST.v6]: gateway }],
    ['itself', await inside('web'), { [HOST.v4]: gateway, [gateway]: gateway }],
    ['other', await inside('other'), { [HOST.v4]: gateway, [gateway]: gateway }],
    ['foreign', await inside('foreign'), { [HOST.v4]: gateway, [gateway]: gateway }],
  ];
  const [seen, wanted]: Record<string, string>[] = [{}, {}];
  for (const [name, prefix, addresses] of places)
    for (const [address, as] of Object.entries(addresses)) {
      Object.assign(seen ?? {}, { [`${name} ${address}`]: await seenAs(address, prefix) });
      Object.assign(wanted ?? {}, { [`${name} ${address}`]: `${as} ${as}` });
    }
  expect(seen).toEqual(wanted);
  expect(await inspect('web', '{{json .NetworkSettings.Ports}}')).toBe(
    '{"53/udp":[{"HostIp":"0.0.0.0","HostPort":"5353"},{"HostIp":"::","HostPort":"5353"}],"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]}',
  );
  // What isn't published is reached from outside by no way at all.
  const own = await inspect('web', '{{.NetworkSettings.IPAddress}}');
  await must([...outside.prefix, 'ip', 'route', 'add', own, 'via', HOST.v4]);
  expect(await run([...outside.prefix, 'busybox', 'nc', '-w', '1', own, '80'])).toMatchObject({ stdout: '' });
  await engine.out(['rm', '-f', 'foreign']);
  await engine.out(['network', 'rm', 'apart']);
}, 60_000);

test('IPv6 is forwarded by the kernel to a container that has it, which sees its senders', async () => {
  await engine.out(['network', 'create', '--ipv6', '--subnet', 'fd00:77::/64', 'six']);
  await server('six', ['--network', 'six', '-p', '8080:80', '-p', '5353:53/udp'], 'sleep 1000');
  using _peers = await servePeers('six');
  // The first packets after a start may be lost until the neighbour is found.
  await eventually(async () => (await seenAs(HOST.v6, outside.prefix)).split(' ').every(Boolean));
  expect(await seenAs(HOST.v6, outside.prefix)).toBe('fd00:51::2 fd00:51::2');
  expect(await seenAs('::1', [])).toBe('fd00:77::1 fd00:77::1');
  expect(await seenAs('fd00:77::1', await inside('six'))).toBe('fd00:77::1 fd00:77::1');
  expect(await elements()).toContain('tcp . 8080 : fd00:77::2 . 80');
  await engine.out(['rm', '-f', 'six']);
  await engine.out(['network', 'rm', 'six']);
}, 60_000);

test('a taken port is an error that names it, and the start leaves nothing', async () => {
  await server('web', ['-p', '127.0.0.1:8080:80']);
  const second = await engine.run(['run', '--name', 'second', '-p', '8080:80', 'busybox', 'true']);
  expect(second.code).toBe(125);
  expect(second.stderr).toMatch(
    /^docker: Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint second \([0-9a-f]{64}\): Bind for 127\.0\.0\.1:8080 failed: port is already allocated \(by container web\)\n/,
  );
  expect(
    await inspect('second', '{{.State.Status}} {{.State.ExitCode}} {{json .NetworkSettings.Ports}}'),
  ).toBe('created 128 {}');
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 8085, socket: { data: () => undefined } });
  try {
    const third = await engine.run([
      'run',
      '--name',
      'third',
      '-p',
      '8084:84',
      '-p',
      '8085:80',
      'busybox',
      'true',
    ]);
    expect(third.stderr).toMatch(
      /failed to bind host port for 0\.0\.0\.0:8085:[\d.]+:80\/tcp: address already in use\n/,
    );
    const elsewhere = await engine.run(['run', '-p', '9.9.9.9:8086:80', 'busybox', 'true']);
    expect(elsewhere.stderr).toMatch(
      /failed to bind host port for 9\.9\.9\.9:8086:[\d.]+:80\/tcp: cannot assign requested address\n/,
    );
  } finally {
    listener.stop(true);
  }
  // The port that the failed start had is free, and so is the other one by now.
  await server('fourth', ['-p', '8084:84', '-p', '8085:80']);
  await eventually(async () => (await ask('127.0.0.1', 8085)) === 'fourth');
}, 60_000);

test('ranges, any ports, all exposed ports', async () => {
  await server('one', ['-p', '19000-19001:80', '--expose', '81/udp']);
  await server('two', ['-p', '19000-19001:80']);
  const full = await engine.run(['run', '-p', '19000-19001:80', 'busybox', 'true']);
  expect(full.stderr).toContain('Bind for 0.0.0.0:19001 failed: port is already allocated');
  expect(await inspect('one', '{{json .NetworkSettings.Ports}} {{json .HostConfig.PortBindings}}')).toBe(
    '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"19000"},{"HostIp":"::","HostPort":"19000"}],"81/udp":null} {"80/tcp":[{"HostIp":"","HostPort":"19000-19001"}]}',
  );
  expect(await inspect('two', '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}')).toBe(
    '19001',
  );
  await server('any', ['-p', '0:80', '-p', '127.0.0.1::81']);
  await server('all', ['-P', '--expose', '80', '--expose', '5000-5001/udp']);
  const ports = JSON.parse(await inspect('all', '{{json .NetworkSettings.Ports}}')) as Record<
    string,
    { HostPort: string }[]
  >;
  expect(Object.keys(ports)).toEqual(['5000/udp', '5001/udp', '80/tcp']);
  const [{ HostPort } = { HostPort: '' }] = ports['80/tcp'] ?? [];
  expect(Number(HostPort)).toBeGreaterThanOrEqual(32_768);
  await eventually(async () => (await ask('127.0.0.1', Number(HostPort))) === 'all');
  const shown = await engine.out(['port', 'any', '80']);
  expect(shown).toMatch(/^0\.0\.0\.0:(\d+)\n\[::\]:\1$/);
  expect(await engine.out(['port', 'any', '80'], { client: 'sampan' })).toBe(shown);
  expect(
    await inspect(
      'any',
      '{{len .NetworkSettings.Ports}} {{(index (index .NetworkSettings.Ports "81/tcp") 0).HostIp}}',
    ),
  ).toBe('2 127.0.0.1');
}, 60_000);

test('modes without ports', async () => {
  const joined = await engine.run([
    'run',
    '--rm',
    '-p',
    '80:80',
    '--network',
    'container:x',
    'busybox',
    'true',
  ]);
  expect(joined.stderr).toContain('conflicting options: port publishing and the container type network mode');
  const host = await engine.run(['run', '--rm', '-p', '8089:80', '--network', 'host', 'busybox', 'true']);
  expect(host).toEqual({
    code: 0,
    stdout: '',
    stderr: 'WARNING: Published ports are discarded when using host network mode\n',
  });
  await server('none', ['--network', 'none', '-p', '8089:80']);
  expect(await inspect('none', '{{json .NetworkSettings.Ports}}')).toBe('{}');
  const bad = await engine.api('POST', '/containers/create', {
    Image: 'busybox',
    Cmd: ['true'],
    HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '9a' }] } },
  });
  expect(bad).toEqual({ status: 400, body: '{"message":"invalid port specification: \\"9a\\""}\n' });
}, 60_000);

test('ports outlive the daemon, and go with what ends meanwhile', async () => {
  await server('web', ['-p', '8080:80']);
  await server('gone', ['-p', '8081:80']);
  await server('always', ['-p', '127.0.0.1:0:80', '--restart', 'always']);
  const before = await inspect('web', '{{json .NetworkSettings.Ports}}');
  const pid = await inspect('gone', '{{.State.Pid}}');
  await engine.stop('SIGKILL');
  expect(await ask('127.0.0.1', 8080)).toBe('web');
  expect(await ask('::1', 8080)).toBe('web');
  process.kill(Number(pid), 'SIGKILL');
  await engine.start();
  expect(await inspect('web', '{{json .NetworkSettings.Ports}}')).toBe(before);
  expect(await ask(HOST.v4, 8080, outside.prefix)).toBe('web');
  await eventually(async () => (await inspect('gone', '{{.State.Status}}')) === 'exited');
  await engine.out(['run', '--rm', '-p', '8081:80', 'busybox', 'true']);
  // The helper, too, may be killed: what it held is held again.
  await engine.out(['restart', '-t', '0', 'always']);
  expect(await inspect('always', '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostIp}}')).toBe(
    '127.0.0.1',
  );
  for (const helper of await helpers()) process.kill(helper, 'SIGKILL');
  await eventually(async () => (await ask('::1', 8080)) === 'web');
  expect(await ask(HOST.v4, 8080, outside.prefix)).toBe('web');
  await engine.restart();
  expect(await ask('::1', 8080)).toBe('web');
}, 90_000);

test('ports follow a container from network to network', async () => {
  await engine.out(['network', 'create', 'second']);
  await server('web', ['-p', '0:80', '-p', '8080:80']);
  const before = await engine.out(['port', 'web']);
  await engine.out(['network', 'connect', 'second', 'web']);
  await engine.out(['network', 'disconnect', 'bridge', 'web']);
  const address = await inspect('web', '{{.NetworkSettings.Networks.second.IPAddress}}');
  expect(await ask(HOST.v4, 8080, outside.prefix)).toBe('web');
  expect(await elements()).toContain(`${address} . 80`);
  expect(await engine.out(['port', 'web'])).toBe(before);
  await engine.out(['rm', '-f', 'web']);
  await engine.out(['network', 'rm', 'second']);
}, 60_000);

test('rules that somebody flushes are put back', async () => {
  await server('web', ['-p', '8080:80']);
  await eventually(async () => (await ask(HOST.v4, 8080, outside.prefix)) === 'web');
  await must(['nft', 'flush', 'ruleset']);
  // The helper carries it meanwhile.
  expect(await ask(HOST.v4, 8080, outside.prefix)).toBe('web');
  await server('next', ['-p', '8082:80']);
  expect(await elements()).toContain('tcp . 8080');
  expect(await elements()).toContain('tcp . 8082');
  await eventually(async () => (await ask(HOST.v4, 8082, outside.prefix)) === 'next');
}, 60_000);

test('a network says where ports listen that name no address', async () => {
  const option = 'com.docker.network.bridge.host_binding_ipv4=127.0.0.1';
  await engine.out(['network', 'create', '--ipv6', '--subnet', 'fd00:79::/64', '-o', option, 'bound']);
  await server('web', ['--network', 'bound', '-p', '8080:80', '-p', '0.0.0.0:8081:80']);
  // As Docker 28.5 has it, each by itself.
  expect(await inspect('web', '{{json .NetworkSettings.Ports}}')).toBe(
    '{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{"HostIp":"0.0.0.0","HostPort":"8081"}]}',
  );
  await eventually(async () => (await ask(HOST.v4, 8081, outside.prefix)) === 'web');
  expect(await ask(HOST.v4, 8080, outside.prefix)).toBe('');
  expect(await ask('127.0.0.1', 8080)).toBe('web');
  await engine.out(['rm', '-f', 'web']);
  await engine.out(['network', 'rm', 'bound']);
}, 60_000);

/** From the outside host with a route, a container of another network, and the machine: port 80, which is published, and 81. As Docker 28.5. */
test.each([
  [
    'nat',
    '.. .. ++',
    '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]}',
  ],
  [
    'nat-unprotected',
    '++ .. ++',
    '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]}',
  ],
  ['routed', '+. +. ++', '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""},{"HostIp":"::","HostPort":""}]}'],
])(
  'gateway mode %s: who reaches a container by its own addresses',
  async (mode, expected, shown) => {
    const modes = [4, 6].flatMap((family) => [
      '-o',
      `com.docker.network.bridge.gateway_mode_ipv${family}=${mode}`,
    ]);
    await engine.out(['network', 'create', '--ipv6', ...modes, 'mode']);
    try {
      await server('web', ['--network', 'mode', '-p', '8080:80'], `${serving('b', 81)} & ${serving('a')}`);
      await engine.out(['network', 'create', '--ipv6', 'beside']);
      await server('other', ['--network', 'beside']);
      expect(await inspect('web', '{{json .NetworkSettings.Ports}}')).toBe(shown);
      if (mode === 'routed') {
        expect(await engine.out(['ps', '-f', 'name=web', '--format', '{{.Ports}}'])).toBe(
          '0.0.0.0:0->80/tcp, [::]:0->80/tcp',
        );
        expect(await engine.out(['port', 'web'])).toBe('80/tcp -> 0.0.0.0:\n80/tcp -> [::]:');
      }
      const own =
        '{{.NetworkSettings.Networks.mode.IPAddress}} {{.NetworkSettings.Networks.mode.GlobalIPv6Address}}';
      const [v4 = '', v6 = ''] = (await inspect('web', own)).split(' ');
      await must([...outside.prefix, 'ip', 'route', 'replace', v4, 'via', HOST.v4]);
      await must([...outside.prefix, 'ip', '-6', 'route', 'replace', v6, 'via', HOST.v6]);
      await eventually(async () => (await ask(v6, 80)) === 'a' && (await ask(v4, 81)) === 'b');
      const other = await inside('other');
      for (const address of [v4, v6]) {
        const marks: string[] = [];
        for (const prefix of [outside.prefix, other, []]) {
          const seen = [await askOnce(address, 80, prefix), await askOnce(address, 81, prefix)];
          marks.push(seen.map((text) => (text === '' ? '.' : '+')).join(''));
        }
        expect([address, marks.join(' ')]).toEqual([address, expected]);
      }
      // What was let through is again after a crash, and no longer when it is withdrawn.
      if (mode !== 'routed') return;
      await engine.restart('SIGKILL');
      await eventually(async () => (await ask(v4, 80, outside.prefix)) === 'a');
      await engine.out(['update', '--publish-rm', '80/tcp', 'web'], { client: 'sampan' });
      expect(await askOnce(v4, 80, outside.prefix)).toBe('');
    } finally {
      await engine.removeContainers();
      await engine.run(['network', 'rm', 'mode', 'beside']);
    }
  },
  60_000,
);

test('a neighbour gets in by its address of the link, and never at 127.0.0.1, whatever the machine takes for its own', async () => {
  await server('web', ['-p', '8080:80', '-p', '127.0.0.1:8081:80']);
  const linkLocal = /inet6 (fe80::[0-9a-f:]+)/.exec(
    await must(['ip', '-6', 'addr', 'show', 'out0', 'scope', 'link']),
  );
  // Docker's proxy, and here the helper, answers what can't be forwarded.
  await eventually(async () => (await ask(`${linkLocal?.[1]}%eth0`, 8080, outside.prefix)) === 'web');
  // As kube-proxy sets it, among others; the neighbour has given its own loopback away.
  const all = '/proc/sys/net/ipv4/conf/all';
  const before = await Bun.file(`${all}/route_localnet`).text();
  await must(['sh', '-c', `echo 1 >${all}/route_localnet`]);
  try {
    const script = `ip addr del 127.0.0.1/8 dev lo; echo 1 >${all}/route_localnet; ip route replace 127.0.0.1 via ${HOST.v4} src 198.51.100.2`;
    await must([...outside.prefix, 'sh', '-c', script]);
    expect(await askOnce('127.0.0.1', 8081, outside.prefix)).toBe('');
    expect(await ask('127.0.0.1', 8081)).toBe('web');
  } finally {
    await must(['sh', '-c', `echo ${before.trim()} >${all}/route_localnet`]);
    await run([...outside.prefix, 'sh', '-c', 'ip route del 127.0.0.1; ip addr add 127.0.0.1/8 dev lo']);
  }
});
