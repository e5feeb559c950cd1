import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
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
