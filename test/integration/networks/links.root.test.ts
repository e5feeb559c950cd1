import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { eventually, must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterEach(() => engine.removeContainers());
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const sleeper = (name: string, ...options: string[]) =>
  engine.out(['run', '-d', '--name', name, ...options, 'busybox', 'sleep', '1000']);
const inspect = (name: string, format: string) => engine.out(['inspect', '-f', format, name]);
const hosts = async (name: string) =>
  (await engine.out(['exec', name, 'cat', '/etc/hosts'])).split('\n').slice(6);
const failure = async (...options: string[]) =>
  (await engine.run(['run', '--rm', ...options, 'busybox', 'true'])).stderr.split('\n')[0];

test('--link: names and environment of another container, also after it was started anew', async () => {
  const exposed = ['80-82', '53/udp', '90'].flatMap((port) => ['--expose', port]);
  const id = (await sleeper('db-one', '-e', 'FOO=bar', '-e', 'HOME=/x', ...exposed)).slice(0, 12);
  const address = await inspect('db-one', '{{.NetworkSettings.IPAddress}}');
  const own = (await sleeper('app', '--link', 'db-one:my-db', '--link', 'db-one')).slice(0, 12);
  const ownAddress = await inspect('app', '{{.NetworkSettings.IPAddress}}');
  expect(await hosts('app')).toEqual([
    `${address}\tmy-db ${id} db-one`,
    `${address}\tdb-one ${id}`,
    `${ownAddress}\t${own}`,
  ]);
  expect(await inspect('app', '{{json .HostConfig.Links}}')).toBe(
    '["/db-one:/app/my-db","/db-one:/app/db-one"]',
  );
  expect(await inspect('app', '{{json .Config.Env}}')).not.toContain('MY_DB');
  const env = await engine.out(['exec', 'app', 'sh', '-c', 'tr "\\0" "\\n" < /proc/1/environ']);
  expect(
    env
      .split('\n')
      .filter((line) => line.startsWith('MY_DB_'))
      .toSorted(),
  ).toEqual(
    [
      'ENV_FOO=bar',
      'NAME=/app/my-db',
      `PORT=tcp://${address}:80`,
      ...['80', '81', '82', '90'].flatMap((port) => [
        `PORT_${port}_TCP=tcp://${address}:${port}`,
        `PORT_${port}_TCP_ADDR=${address}`,
        `PORT_${port}_TCP_PORT=${port}`,
        `PORT_${port}_TCP_PROTO=tcp`,
      ]),
      `PORT_80_TCP_START=tcp://${address}:80`,
      'PORT_80_TCP_PORT_START=80',
      `PORT_80_TCP_END=tcp://${address}:82`,
      'PORT_80_TCP_PORT_END=82',
      `PORT_53_UDP=udp://${address}:53`,
      `PORT_53_UDP_ADDR=${address}`,
      'PORT_53_UDP_PORT=53',
      'PORT_53_UDP_PROTO=udp',
    ]
      .map((line) => `MY_DB_${line}`)
      .toSorted(),
  );
  expect(
    await engine.out(['ps', '--no-trunc', '--format', '{{.Names}}', '--filter', 'name=db-one']),
  ).toContain('app/my-db');
  await engine.out(['stop', '-t', '0', 'db-one']);
  await sleeper('between');
  await engine.out(['start', 'db-one']);
  const moved = await inspect('db-one', '{{.NetworkSettings.IPAddress}}');
  expect(moved).not.toBe(address);
  expect((await hosts('app')).slice(0, 2)).toEqual([
    `${moved}\tmy-db ${id} db-one`,
    `${moved}\tdb-one ${id}`,
  ]);
  await engine.restart();
  await engine.out(['restart', '-t', '0', 'app']);
  expect((await hosts('app'))[0]).toBe(`${moved}\tmy-db ${id} db-one`);
}, 60_000);

test('links that can not be, in Docker\u2019s words', async () => {
  await engine.out(['create', '--name', 'idle', 'busybox', 'true']);
  const said = 'docker: Error response from daemon:';
  expect(await failure('--link', 'nosuch:a')).toBe(
    `${said} could not get container for nosuch: No such container: nosuch`,
  );
  expect(await failure('--link', 'idle:a', '--name', 'app')).toBe(
    `${said} Cannot link to a non running container: /idle AS /app/a`,
  );
  expect(await failure('--link', 'idle:a', '--network', 'host')).toBe(
    `${said} conflicting options: host type networking can't be used with links. This would result in undefined behavior`,
  );
  const { status, body } = await engine.api('POST', '/containers/create', {
    Image: 'busybox',
    Cmd: ['true'],
    HostConfig: { Links: ['a:b:c'] },
  });
  expect({ status, body }).toEqual({ status: 400, body: '{"message":"bad format for links: a:b:c"}\n' });
});

test('--mac-address on the default bridge; --ip there is refused', async () => {
  await sleeper('mac', '--mac-address', '02:42:aa:bb:cc:01');
  expect(await engine.out(['exec', 'mac', 'cat', '/sys/class/net/eth0/address'])).toBe('02:42:aa:bb:cc:01');
  expect(await inspect('mac', '{{.Config.MacAddress}} {{.NetworkSettings.Networks.bridge.MacAddress}}')).toBe(
    '02:42:aa:bb:cc:01 02:42:aa:bb:cc:01',
  );
  const refused = await engine.run(['run', '--rm', '--ip', '172.17.0.77', 'busybox', 'true']);
  expect(refused.stderr).toStartWith(
    'docker: Error response from daemon: invalid config for network bridge: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only\n',
  );
  const { body } = await engine.api('POST', '/v1.43/containers/create', {
    Image: 'busybox',
    Cmd: ['true'],
    MacAddress: '02:42:aa:bb:cc:02',
  });
  const { Id } = JSON.parse(body) as { Id: string };
  expect(await inspect(Id, '{{.Config.MacAddress}}')).toBe('02:42:aa:bb:cc:02');
});

/** All words are those of Docker 28.5. */
test('a container has its interface by the name and with the settings that it asks for, or is refused', async () => {
  const option = (name: string, value: string) => `driver-opt=com.docker.network.endpoint.${name}=${value}`;
  const network = ['network', 'create', '--subnet', '10.57.0.0/24', 'wished'];
  await engine.out(network);
  try {
    const run = (wishes: string, ...args: string[]) =>
      engine.run(['run', '--rm', '--network', `name=wished,${wishes}`, 'busybox', ...args]);
    const setting = '/proc/sys/net/ipv4/conf/foo0/log_martians';
    const got = await run(
      `${option('ifname', 'foo0')},${option('sysctls', 'net.ipv4.conf.IFNAME.log_martians=1')}`,
      'cat',
      setting,
    );
    expect(got).toMatchObject({ code: 0, stdout: '1\n' });
    const said = async (wishes: string) =>
      (await run(wishes, 'true')).stderr.split('\n').slice(0, 2).join('|');
    const daemon = 'docker: Error response from daemon: ';
    const failed = `${daemon}failed to set up container networking: failed to add interface`;
    const refusals: [string, string, string][] = [
      [
        'ifname',
        'toolonginterfacename',
        'error renaming interface "*" to "toolonginterfacename": numerical result out of range',
      ],
      ['ifname', 'a/b', 'error renaming interface "*" to "a/b": invalid argument'],
      ['ifname', 'lo', 'error renaming interface "*" to "lo": file exists'],
      ['sysctls', 'net.ipv4.conf.ifname.bogus=1', '/proc/sys/net/ipv4/conf/eth0/bogus is not a sysctl file'],
      [
        'sysctls',
        'net.ipv4.conf.ifname.log_martians=a',
        "unable to write to '/proc/sys/net/ipv4/conf/eth0/log_martians': write /proc/sys/net/ipv4/conf/eth0/log_martians: invalid argument",
      ],
    ];
    for (const [name, value, words] of refusals)
      expect((await said(option(name, value))).replaceAll(/ve[0-9a-f]{13}/g, '*')).toBe(
        `${failed} * to sandbox: ${words}|`,
      );
    expect((await said('mac-address=01:00:00:00:00:01')).replaceAll(/ve[0-9a-f]{13}/g, '*')).toBe(
      `${failed} * to sandbox: error setting interface "*" MAC to "01:00:00:00:00:01": cannot assign requested address|`,
    );
    expect(await said(option('sysctls', 'net.ipv4.ip_forward=0'))).toBe(
      `${daemon}invalid config for network wished: invalid endpoint settings:|unrecognised network interface sysctl 'net.ipv4.ip_forward=0'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    );
    // Nothing of what failed has its address still.
    const inspected = await engine.out(['network', 'inspect', '-f', '{{len .Containers}}', 'wished']);
    expect(inspected).toBe('0');
  } finally {
    await engine.out(['network', 'rm', 'wished']);
  }
}, 60_000);

/** All words are those of Docker 28.5. */
test.each([
  [
    ['--network', 'none', '--ip', '10.0.0.2'],
    'docker: Error response from daemon: invalid config for network none: invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* user specified IP address is supported only when connecting to networks with user configured subnets\n',
  ],
  [
    ['--network', 'bridge', '--ip', '10.0.0.2'],
    'docker: Error response from daemon: invalid config for network bridge: invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* no configured subnet or ip-range contain the IP address 10.0.0.2\n',
  ],
  [['--mac-address', '0:1:2:3:4:5'], 'docker: 0:1:2:3:4:5 is not a valid mac address\n'],
  [
    ['--network', 'bridge', '--network', 'n1'],
    'docker: conflicting options: cannot attach both user-defined and non-user-defined network-modes\n',
  ],
  [
    ['--sysctl', 'net.ipv4.conf.eth0.log_martians=1'],
    `docker: Error response from daemon: interface specific sysctl setting "net.ipv4.conf.eth0.log_martians" must be supplied using driver option 'com.docker.network.endpoint.sysctls'\n`,
  ],
])('%j is refused in Docker’s words', async (options, words) => {
  const { stderr } = await engine.run(['run', '--rm', ...options, 'busybox', 'true']);
  expect(stderr).toStartWith(words);
});

test('a MAC address is one in each form, and one that is none is refused by itself', async () => {
  const shown = ['cat', '/sys/class/net/eth0/address'];
  for (const text of ['02-42-00-00-00-0A', '0242.0000.000a'])
    expect(await engine.out(['run', '--rm', '--mac-address', text, 'busybox', ...shown])).toBe(
      '02:42:00:00:00:0a',
    );
  const { status, body } = await engine.api('POST', '/containers/create', {
    Image: 'busybox',
    Cmd: ['true'],
    NetworkingConfig: { EndpointsConfig: { bridge: { MacAddress: 'zz' } } },
  });
  expect({ status, body }).toEqual({
    status: 400,
    body: '{"message":"invalid config for network bridge: invalid MAC address zz"}\n',
  });
});

test('a network of IPv6 alone: addresses, names, published ports', async () => {
  await engine.out(['network', 'create', '--ipv4=false', '--ipv6', 'six']);
  try {
    const shown = await engine.out([
      'network',
      'inspect',
      '-f',
      '{{.EnableIPv4}} {{.EnableIPv6}} {{len .IPAM.Config}}',
      'six',
    ]);
    expect(shown).toBe('false true 1');
    const script = 'while :; do nc -ll -p 80 -e echo web; done';
    await engine.out([
      'run',
      '-d',
      '--name',
      'web6',
      '--network',
      'six',
      '-p',
      '8090:80',
      'busybox',
      'sh',
      '-c',
      script,
    ]);
    expect(
      await inspect('web6', '{{json .NetworkSettings.Ports}} {{.NetworkSettings.Networks.six.IPAddress}}'),
    ).toBe('{"80/tcp":[{"HostIp":"::","HostPort":"8090"}]}');
    expect(await engine.out(['exec', 'web6', 'ip', '-4', 'addr', 'show', 'eth0'])).toBe('');
    const ask = [
      'run',
      '--rm',
      '--network',
      'six',
      'busybox',
      'sh',
      '-c',
      'for i in 1 2 3 4 5 6; do nc -w 1 web6 80 && exit; sleep .3; done',
    ];
    expect(await engine.out(ask)).toBe('web');
    await eventually(
      async () => (await must(['busybox', 'nc', '-w', '1', '::1', '8090']).catch(() => '')).trim() === 'web',
    );
  } finally {
    await engine.run(['rm', '-f', 'web6']);
    await engine.run(['network', 'rm', 'six']);
  }
  const none = await engine.run(['network', 'create', '--ipv4=false', 'neither']);
  expect(none.stderr).toContain('IPv4 or IPv6 must be enabled');
}, 60_000);

test('rm --link: the name goes, here and at the next start, and both containers stay', async () => {
  const id = (await sleeper('db')).slice(0, 12);
  const address = await inspect('db', '{{.NetworkSettings.IPAddress}}');
  await sleeper('app', '--link', 'db:one', '--link', 'db:two');
  expect(await engine.out(['rm', '--link', 'app/one'])).toBe('app/one');
  expect(await inspect('app', '{{json .HostConfig.Links}}')).toBe('["/db:/app/two"]');
  expect((await hosts('app'))[0]).toBe(`${address}\ttwo ${id} db`);
  expect((await engine.run(['rm', '-l', 'app/one'])).stderr.trim()).toBe(
    'Error response from daemon: No such container: app/one',
  );
  await engine.out(['rm', '-l', '/app/two']);
  await engine.out(['restart', '-t', '0', 'app']);
  expect((await hosts('app')).join()).not.toContain('two');
  expect(await engine.out(['ps', '--format', '{{.Names}}'])).toBe('app\ndb');
});
