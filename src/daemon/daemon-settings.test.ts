import { expect, test } from 'bun:test';
import { DOCKER_CONFIG, parseConfig } from './config-file.ts';
import { readSettings } from './daemon-settings.ts';

const noFile = () => ({ path: undefined, values: new Map<string, unknown>(), warnings: [] });
const file =
  (object: object, path = '/etc/sampan/daemon.json') =>
  () =>
    parseConfig(path, JSON.stringify(object));

test('without flags and file the defaults stand', () => {
  expect(readSettings([], noFile)).toMatchObject({
    hosts: ['unix:///run/sampan.sock'],
    dataRoot: '/var/lib/sampan',
    execRoot: '/run/sampan',
    storageDriver: 'auto',
    logLevel: 'info',
    registryMirrors: [],
  });
});

test('TCP is open to all only where TLS was declined in so many words', () => {
  const isOpen = (...args: string[]) => readSettings(args, noFile).isTcpOpen;
  expect([isOpen(), isOpen('-H', 'tcp://0.0.0.0:1')]).toEqual([false, false]);
  expect([isOpen('--tls=false'), isOpen('--tlsverify=false')]).toEqual([true, true]);
  expect(readSettings([], file({ tls: false })).isTcpOpen).toBe(true);
});

test("dockerd's flags are taken, -H more than once", () => {
  const args = [
    '-H',
    'unix:///a',
    '-H=tcp://127.0.0.1:1',
    '--data-root',
    '/d',
    '--exec-root=/e',
    '-p',
    '/p',
    '--registry-mirror',
    'http://m:1/',
    '--insecure-registry=10.0.0.0/8',
    '-l',
    'debug',
    '-s',
    'overlay2',
    '--bip',
    '10.9.0.1/24',
  ];
  expect(readSettings(args, noFile)).toMatchObject({
    hosts: ['unix:///a', 'tcp://127.0.0.1:1'],
    dataRoot: '/d',
    execRoot: '/e',
    pidFile: '/p',
    registryMirrors: ['http://m:1'],
    insecureRegistries: ['10.0.0.0/8'],
    logLevel: 'debug',
    storageDriver: 'overlay',
    bip: '10.9.0.1/24',
  });
});

test('an unknown key stops the start and is named', () => {
  expect(() => readSettings([], file({ 'registry-mirors': [] }))).toThrow(
    "the following directives don't match any configuration option: registry-mirors",
  );
});

test('a flag in conflict with the file stops the start; both values are named', () => {
  expect(() =>
    readSettings(['--registry-mirror', 'http://a'], file({ 'registry-mirrors': ['http://b'] })),
  ).toThrow('registry-mirrors: (from flag: [http://a], from file: [http://b])');
});

test.each([
  [{ 'registry-mirrors': 'http://a' }, 'registry-mirrors must be a list of strings, not "http://a"'],
  [{ 'registry-mirrors': ['ftp://a'] }, 'unsupported scheme "ftp"'],
  [{ 'registry-mirrors': ['http://u:p@a'] }, 'username/password not allowed'],
  [{ 'registry-mirrors': ['mirror.lan'] }, 'invalid mirror: no scheme specified for "mirror.lan"'],
  [
    { 'registry-mirrors': ['http://a?b'] },
    'invalid mirror: query or fragment at end of the URI "http://a?b"',
  ],
  [{ 'insecure-registries': ['ftp://a'] }, "insecure registry ftp://a should not contain '://'"],
  [{ 'insecure-registries': ['a:99999'] }, 'insecure registry a:99999 is not valid: invalid port "99999"'],
  [{ 'insecure-registries': ['a b'] }, 'insecure registry a b is not valid: invalid host "a b"'],
  [{ registries: { 'ghcr.io': { mirror: [] } } }, 'invalid registries: "ghcr.io": unknown key "mirror"'],
  [{ registries: { 'ghcr.io': [] } }, 'invalid registries: "ghcr.io": expected an object'],
  [{ registries: { 'ghcr.io': { mirrors: 'http://a' } } }, '"ghcr.io": mirrors must be a list of strings'],
  [{ registries: { 'ghcr.io': { mirrors: ['ftp://a'] } } }, 'unsupported scheme "ftp"'],
  [{ registries: { 'ghcr.io': { insecure: 'yes' } } }, '"ghcr.io": insecure must be true or false'],
  [{ registries: { 'ghcr.io': { tags: 'none' } } }, '"ghcr.io": tags must be "origin" or "mirror"'],
  [{ registries: { 'https://ghcr.io': {} } }, 'invalid registries: "https://ghcr.io": expected a host'],
  [{ registries: { 'ghcr.io:99999': {} } }, 'invalid registries: "ghcr.io:99999": expected a host'],
  [{ proxies: { http_proxy: 'http://p' } }, "don't match any configuration option: http_proxy"],
  [{ 'max-download-attempts': 0 }, 'invalid max-download-attempts: 0'],
  [{ 'data-root': 'relative' }, 'must be an absolute path'],
  [{ 'storage-driver': 'btrfs' }, 'unknown storage-driver "btrfs"'],
  [{ 'log-level': 'loud' }, 'invalid logging level: loud'],
  [{ 'embedded-registry': '0.0.0.0:5000' }, 'expected a loopback address'],
  [{ tlsverify: true }, 'TLS needs --tlscacert, --tlscert, --tlskey'],
])('%p is refused: %p', (object, message) => expect(() => readSettings([], file(object))).toThrow(message));

test('registries have mirrors of their own; the key takes names of docker.io as docker.io', () => {
  const { registries } = readSettings(
    [],
    file({
      registries: {
        'ghcr.io': { mirrors: ['https://m.lan/ghcr/', 'https://m.lan/ghcr', 'http://n:1'], tags: 'mirror' },
        'index.docker.io': { insecure: true },
      },
    }),
  );
  expect(registries).toEqual({
    'ghcr.io': { mirrors: ['https://m.lan/ghcr', 'http://n:1'], insecure: false, tags: 'mirror' },
    'docker.io': { mirrors: [], insecure: true, tags: 'origin' },
  });
});

test("an insecure registry with a scheme is taken without it, with dockerd's warning", () => {
  const settings = readSettings(
    [],
    file({ 'insecure-registries': ['HTTP://reg.lan:5000', '10.0.0.0/8', '::1'] }),
  );
  expect(settings.insecureRegistries).toEqual(['reg.lan:5000', '10.0.0.0/8', '::1']);
  expect(settings.warnings).toEqual([
    "insecure registry HTTP://reg.lan:5000 should not contain 'http://' and 'http://' has been removed from the insecure registry config",
  ]);
});

test("what a running Docker owns is not taken from Docker's file", () => {
  const settings = readSettings(
    [],
    file(
      { 'data-root': '/var/lib/docker', hosts: ['fd://'], 'registry-mirrors': ['http://m'] },
      DOCKER_CONFIG,
    ),
  );
  expect(settings).toMatchObject({
    dataRoot: '/var/lib/sampan',
    hosts: ['unix:///run/sampan.sock'],
    registryMirrors: ['http://m'],
  });
  expect(settings.warnings.length).toBe(2);
});

test('a key without effect is warned of, unless its value asks for nothing', () => {
  expect(readSettings([], file({ bip6: 'fd00::1/64', 'raw-logs': false })).warnings).toEqual([
    'bip6: "fd00::1/64" in /etc/sampan/daemon.json has no effect here',
  ]);
});

test('host-gateway-ip is an address', () => {
  expect(readSettings([], file({ 'host-gateway-ip': '10.0.0.1' })).hostGateway).toBe('10.0.0.1');
  expect(() => readSettings(['--host-gateway-ip', 'x'], file({}))).toThrow(
    'host-gateway-ip must be an IP address, not "x"',
  );
});

test("containers' logs have a default that a container could start with", () => {
  expect(readSettings([], file({})).containerLog).toEqual({ type: 'json-file', config: {} });
  const inFile = { 'log-driver': 'local', 'log-opts': { 'max-size': '1m' } };
  expect(readSettings([], file(inFile)).containerLog).toEqual({
    type: 'local',
    config: { 'max-size': '1m' },
  });
  expect(readSettings(['--log-driver=none', '--log-opt', 'a=b=c'], file({})).containerLog).toEqual({
    type: 'none',
    config: { a: 'b=c' },
  });
  for (const bad of [
    { 'log-driver': 'nope' },
    { 'log-opts': { nope: '1' } },
    { 'log-opts': { 'max-size': 'x' } },
  ])
    expect(() => readSettings([], file(bad))).toThrow('failed to set log opts: ');
});

test.each(['{', '[]', '"x"'])('malformed JSON names the file: %p', (text) => {
  expect(() => parseConfig('/x.json', text)).toThrow('unable to configure the daemon with file /x.json');
});
