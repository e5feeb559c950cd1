import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterEach(async () => {
  await engine.removeContainers();
  await engine.out(['network', 'prune', '-f']);
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const docker = (...args: string[]): Promise<string> => engine.out(args);

/** A web server that says its name. */
async function serve(name: string, ...options: string[]): Promise<void> {
  const script = `mkdir /w && echo ${name} > /w/index.html && httpd -f -h /w`;
  await docker('run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', script);
}

async function ask(network: string, command: string[]): Promise<string> {
  return (await engine.run(['run', '--rm', '--network', network, 'busybox', ...command])).stdout;
}

interface EndpointSettings {
  IPAddress: string;
  Gateway: string;
  MacAddress: string;
  GlobalIPv6Address: string;
  DNSNames: string[];
}

async function endpoint(container: string, network: string): Promise<EndpointSettings> {
  const settings = await engine.inspect(container);
  const { Networks } = settings['NetworkSettings'] as { Networks: Record<string, EndpointSettings> };
  return Networks[network]!;
}

test('containers of a network find each other by name, alias and id', async () => {
  await docker('network', 'create', 'n1');
  await serve('aa', '--network', 'n1', '--network-alias', 'web', '--hostname', 'hh');
  const id = (await docker('inspect', '-f', '{{.Id}}', 'aa')).slice(0, 12);
  for (const name of ['aa', 'web', id, 'AA', 'aa.n1', 'hh'])
    expect(await docker('run', '--rm', '--network', 'n1', 'busybox', 'wget', '-qO-', name)).toBe('aa');
  const { IPAddress: address } = await endpoint('aa', 'n1');
  const reverse = address.split('.').toReversed().join('.');
  expect(await ask('n1', ['nslookup', '-type=ptr', `${reverse}.in-addr.arpa`])).toContain('aa.n1');
});

test('a running container joins and leaves networks, with addresses and names of its own', async () => {
  await docker('network', 'create', '--subnet', '10.55.0.0/24', '--ip-range', '10.55.0.128/25', 'n1');
  await docker('network', 'create', 'n2');
  await serve('aa', '--network', 'n1', '--ip', '10.55.0.9');
  await serve('bb', '--network', 'n2');
  expect((await endpoint('aa', 'n1')).IPAddress).toBe('10.55.0.9');
  expect(await engine.run(['exec', 'aa', 'timeout', '2', 'wget', '-qO-', 'bb'])).not.toMatchObject({
    code: 0,
  });
  await docker('network', 'connect', '--alias', 'front', '--ip', '10.55.0.77', 'n1', 'bb');
  expect(await docker('exec', 'aa', 'wget', '-qO-', 'front')).toBe('bb');
  expect(await docker('exec', 'bb', 'wget', '-qO-', 'aa')).toBe('aa');
  expect(await docker('exec', 'bb', 'cat', '/etc/hosts')).toContain('10.55.0.77');
  const members = JSON.parse(
    await docker('network', 'inspect', '-f', '{{json .Containers}}', 'n1'),
  ) as object;
  expect(Object.values(members).toSorted((a, b) => (a.Name < b.Name ? -1 : 1))).toMatchObject([
    { Name: 'aa', IPv4Address: '10.55.0.9/24' },
    { Name: 'bb', IPv4Address: '10.55.0.77/24' },
  ]);
  const refused = await engine.run(['network', 'rm', 'n1']);
  expect(refused.stderr).toContain(
    'error while removing network: network n1 has active endpoints (name:"aa" id:"',
  );
  await docker('network', 'disconnect', 'n1', 'bb');
  expect((await engine.run(['exec', 'aa', 'timeout', '2', 'wget', '-qO-', 'front'])).code).not.toBe(0);
  expect(await docker('exec', 'bb', 'cat', '/etc/hosts')).not.toContain('10.55.0.77');
  expect(await docker('exec', 'bb', 'ip', 'route')).toMatch(/^default via \S+ dev eth0/);
});

test('what a container can have is refused in Docker’s words', async () => {
  const words = async (...args: string[]) =>
    (await engine.run(args)).stderr.split('\n').slice(0, 2).join('|');
  await docker('network', 'create', '--subnet', '10.55.0.0/24', 'n1');
  await docker('network', 'create', 'n2');
  await serve('aa', '--network', 'n1', '--ip', '10.55.0.9');
  expect(await words('network', 'create', '--subnet', '10.55.0.128/25', 'n3')).toContain(
    'invalid pool request: Pool overlaps with other one on this address space: 10.55.0.128/25 of network n3 and 10.55.0.0/24 of network n1',
  );
  expect(await words('network', 'create', 'n1')).toContain('network with name n1 already exists');
  expect(await words('network', 'create', '--subnet', '10.0.0.5/24', 'n3')).toContain(
    'invalid subnet 10.0.0.5/24: it should be 10.0.0.0/24',
  );
  expect(await words('run', '--rm', '--network', 'n1', '--ip', '10.55.0.9', 'busybox', 'true')).toContain(
    'failed to set up container networking: Address already in use',
  );
  expect(await words('run', '--rm', '--network', 'n1', '--ip', '10.56.0.9', 'busybox', 'true')).toContain(
    'invalid config for network n1: invalid endpoint settings:|no configured subnet or ip-range contain the IP address 10.56.0.9',
  );
  expect(await words('run', '--rm', '--network', 'n2', '--ip', '10.56.0.9', 'busybox', 'true')).toContain(
    'user specified IP address is supported only when connecting to networks with user configured subnets',
  );
  expect(await words('network', 'connect', 'n1', 'aa')).toContain(
    'endpoint with name aa already exists in network n1',
  );
  expect(await words('network', 'connect', 'host', 'aa')).toContain(
    'cannot connect container to host network',
  );
  expect(await words('network', 'disconnect', 'n2', 'aa')).toContain('is not connected to network n2');
  expect(await words('run', '--rm', '--network', 'nope', 'busybox', 'true')).toContain(
    'failed to set up container networking: network nope not found',
  );
  expect(await words('network', 'rm', 'bridge')).toContain(
    'bridge is a pre-defined network and cannot be removed',
  );
});

test('networks are apart; internal ones know nothing of outside; IPv6 alike', async () => {
  await docker('network', 'create', '--ipv6', 'n1');
  await docker('network', 'create', '--ipv6', 'n2');
  await docker('network', 'create', '--internal', 'in');
  await docker('network', 'create', '-o', 'com.docker.network.bridge.enable_icc=false', 'deaf');
  await serve('aa', '--network', 'n1');
  await serve('bb', '--network', 'n2');
  await serve('ii', '--network', 'in');
  await serve('dd', '--network', 'deaf');
  // As first process wget would ignore what is to end it.
  const reach = async (network: string, url: string): Promise<string> =>
    await docker(
      'run',
      '--rm',
      '--network',
      network,
      'busybox',
      'sh',
      '-c',
      `timeout 2 wget -qO- ${url}; true`,
    );
  const addressOf = async (container: string, network: string) =>
    (await endpoint(container, network)).IPAddress;
  const six = (await endpoint('aa', 'n1')).GlobalIPv6Address;
  expect(six).toMatch(/^fd/);
  const [a4, i4, d4] = [
    await addressOf('aa', 'n1'),
    await addressOf('ii', 'in'),
    await addressOf('dd', 'deaf'),
  ];
  const table = [
    ['n1', a4, 'aa'],
    ['n1', `[${six}]`, 'aa'],
    ['n2', a4, ''],
    ['n2', `[${six}]`, ''],
    ['bridge', a4, ''],
    ['host', a4, 'aa'],
    ['host', `[${six}]`, 'aa'],
    ['none', a4, ''],
    ['in', i4, 'ii'],
    ['in', a4, ''],
    ['n1', i4, ''],
    ['host', i4, 'ii'],
    ['deaf', d4, ''],
    ['host', d4, 'dd'],
  ];
  const seen: string[][] = [];
  for (const [network = '', address = ''] of table)
    seen.push([network, address, await reach(network, address)]);
  expect(seen).toEqual(table);
  const lookup = await engine.run(['run', '--rm', '--network', 'in', 'busybox', 'nslookup', 'example.com']);
  expect(lookup.stdout + lookup.stderr).toContain('SERVFAIL');
});

test('names are answered while the daemon is down, and found again after it', async () => {
  await docker('network', 'create', 'n1');
  await serve('aa', '--network', 'n1');
  await docker(
    'run',
    '-d',
    '--name',
    'bb',
    '--network',
    'n1',
    'busybox',
    'sh',
    '-c',
    'while :; do wget -qO- aa; sleep .1; done',
  );
  const pid = await docker('inspect', '-f', '{{.State.Pid}}', 'bb');
  const ask = (name: string) =>
    Bun.spawnSync(['nsenter', '-t', pid, '-n', 'busybox', 'nslookup', name, '127.0.0.11']);
  await engine.stop('SIGKILL');
  expect(ask('aa').stdout.toString()).toMatch(/Name:\s+aa/);
  await engine.start();
  expect(ask('aa').stdout.toString()).toMatch(/Name:\s+aa/);
  await serve('cc', '--network', 'n1');
  expect(ask('cc').stdout.toString()).toMatch(/Name:\s+cc/);
  await docker('rename', 'cc', 'dd');
  expect(ask('dd').stdout.toString()).toMatch(/Name:\s+dd/);
  const { exitCode, stdout } = Bun.spawnSync(['pgrep', '-f', `serve-names.ts ${engine.execRoot}`]);
  expect(exitCode).toBe(0);
  process.kill(Number(stdout.toString().trim()), 'SIGKILL');
  await eventually(() => /Name:\s+dd/.test(ask('dd').stdout.toString()));
});

test('rules that somebody flushed are restored, with a warning; a bridge that is gone comes back', async () => {
  await docker('network', 'create', 'n1');
  await serve('aa', '--network', 'n1');
  Bun.spawnSync(['nft', 'flush', 'ruleset']);
  await docker('network', 'create', 'n2');
  expect(Bun.spawnSync(['nft', 'list', 'ruleset']).stdout.toString()).toContain('chain published');
  Bun.spawnSync(['nft', 'flush', 'ruleset']);
  await engine.restart();
  expect(Bun.spawnSync(['nft', 'list', 'ruleset']).stdout.toString()).toContain('chain published');
  const id = (await docker('network', 'inspect', '-f', '{{.Id}}', 'n1')).slice(0, 12);
  Bun.spawnSync(['ip', 'link', 'del', `br-${id}`]);
  expect(await docker('run', '--rm', '--network', 'n1', 'busybox', 'wget', '-qO-', 'aa')).toBe('aa');
});

test('ports of the host lead to a container: from the host and from outside', async () => {
  await docker('network', 'create', '--ipv6', 'n1');
  await serve('aa', '--network', 'n1', '-p', '8080:80', '-p', '127.0.0.1:8081:80', '-p', '80');
  const ports = await docker('port', 'aa', '80');
  const random = /0\.0\.0\.0:(\d+)/.exec(
    ports.split('\n').find((line) => !/:808[01]$/.test(line)) ?? '',
  )?.[1];
  expect(ports).toContain('127.0.0.1:8081');
  const from = (prefix: string[], url: string): string =>
    Bun.spawnSync([...prefix, 'timeout', '2', 'busybox', 'wget', '-qO-', url])
      .stdout.toString()
      .trim();
  const sh = (command: string): void => {
    const done = Bun.spawnSync(['sh', '-ec', command]);
    if (done.exitCode !== 0) throw new Error(`${command}: ${done.stderr.toString()}`);
  };
  const hadNamespaces = existsSync('/run/netns');
  sh('ip netns add outside && ip link add out0 type veth peer name eth0 netns outside');
  sh('ip addr add 198.51.100.1/24 dev out0 && ip addr add fd99::1/64 dev out0 nodad && ip link set out0 up');
  sh('ip -n outside addr add 198.51.100.2/24 dev eth0 && ip -n outside addr add fd99::2/64 dev eth0 nodad');
  sh('ip -n outside link set eth0 up && ip -n outside route add default via 198.51.100.1');
  try {
    const outside = ['ip', 'netns', 'exec', 'outside'];
    const { IPAddress: address } = await endpoint('aa', 'n1');
    const table: [string[], string, string][] = [
      [[], '127.0.0.1:8080', 'aa'],
      [[], '127.0.0.1:8081', 'aa'],
      [[], `127.0.0.1:${random}`, 'aa'],
      [[], '198.51.100.1:8080', 'aa'],
      [[], '198.51.100.1:8081', ''],
      [outside, '198.51.100.1:8080', 'aa'],
      [outside, '[fd99::1]:8080', 'aa'],
      [outside, '198.51.100.1:8081', ''],
      [outside, `${address}:80`, ''],
    ];
    expect(table.map(([prefix, url]) => [prefix, url, from(prefix, url)])).toEqual(table);
    const taken = await engine.run(['run', '--rm', '-p', '8080:80', 'busybox', 'true']);
    expect(taken.stderr).toContain(
      'Bind for 0.0.0.0:8080 failed: port is already allocated (by container aa)',
    );
    const busy = Bun.listen({ hostname: '0.0.0.0', port: 8099, socket: { data() {} } });
    const other = await engine.run(['run', '--rm', '-p', '8099:80', 'busybox', 'true']);
    expect(other.stderr).toMatch(
      /failed to bind host port for 0\.0\.0\.0:8099:\S+:80\/tcp: address already in use/,
    );
    busy.stop();
    await engine.restart('SIGKILL');
    expect(from(outside, '198.51.100.1:8080')).toBe('aa');
    await docker('rm', '-f', 'aa');
    await docker('run', '--rm', '-p', '8080:80', 'busybox', 'true');
  } finally {
    sh('ip netns del outside');
    // `ip` makes the folder, and mounts it in this namespace.
    if (!hadNamespaces) sh('umount /run/netns && rmdir /run/netns');
  }
});

test('networks take their settings from a configuration network, which is no place to be', async () => {
  await docker(
    'network',
    'create',
    '--config-only',
    '--subnet',
    '10.66.0.0/24',
    '--label',
    'a=b',
    'settings',
  );
  await docker('network', 'create', '--config-from', 'settings', 'n1');
  const [made, settings] = JSON.parse(await docker('network', 'inspect', '-v', 'n1', 'settings')) as Record<
    string,
    unknown
  >[];
  expect(made).toMatchObject({
    Driver: 'bridge',
    ConfigFrom: { Network: 'settings' },
    ConfigOnly: false,
    Labels: { a: 'b' },
    IPAM: { Config: [{ Subnet: '10.66.0.0/24' }] },
  });
  expect(settings).toMatchObject({ Driver: 'null', ConfigOnly: true, IPAM: { Driver: 'default' } });
  await serve('aa', '--network', 'n1');
  expect((await endpoint('aa', 'n1')).IPAddress).toStartWith('10.66.0.');
  const inIt = await engine.run(['run', '--rm', '--network', 'settings', 'busybox', 'true']);
  expect(inIt).toMatchObject({ code: 125 });
  expect(inIt.stderr).toContain(
    'failed to set up container networking: cannot create endpoint on configuration-only network',
  );
  expect((await engine.run(['network', 'connect', 'settings', 'aa'])).stderr).toContain(
    'cannot create endpoint on configuration-only network',
  );
  expect((await engine.run(['network', 'rm', 'settings'])).stderr).toContain(
    'error while removing network: configuration network "settings" is in use',
  );
  // Settings outlive the daemon, and are no prune's.
  await engine.restart();
  await docker('rm', '-f', 'aa');
  expect(await docker('network', 'prune', '-f')).toBe('Deleted Networks:\nn1');
  expect(await docker('network', 'rm', 'settings')).toBe('settings');
});
