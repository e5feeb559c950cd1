import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { eventually, must, run, start } from '../../support/engine/command.ts';
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
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const serving = (text: string, port = 80) => `while :; do nc -ll -p ${port} -e echo ${text}; done`;
const server = (name: string, options: readonly string[], script = serving(name)) =>
  engine.out(['run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', script]);
const inspect = (name: string, format: string) => engine.out(['inspect', '-f', format, name]);
const update = (...args: string[]) => engine.run(['update', ...args], { client: 'sampan' });
const ports = (name: string) => inspect(name, '{{json .NetworkSettings.Ports}}');
const bindings = (name: string) => inspect(name, '{{json .HostConfig.PortBindings}}');

/** What a server says there; '' where nobody listens. Between two clients `nc` doesn't for a moment. */
async function ask(address: string, port: number): Promise<string> {
  for (let tries = 0; ; tries++) {
    const { stdout } = await run(['busybox', 'nc', '-w', '1', address, String(port)]);
    if (stdout !== '' || tries === 5) return stdout.trim();
    await Bun.sleep(50);
  }
}

/** The elements of our maps that name this port of the host. */
async function elements(port: number): Promise<string[]> {
  const rules = await must(['nft', 'list', 'ruleset']);
  return [...rules.matchAll(new RegExp(`(?:tcp|udp) \\. ${port}\\b[^,}]*`, 'g'))].map(([text]) =>
    text.trim(),
  );
}

test('ports of a running container are published and withdrawn, and stay so', async () => {
  const since = String(Math.floor(Date.now() / 1000));
  await server('web', ['-p', '8080:80', '-p', '8082:82']);
  await eventually(async () => (await ask('127.0.0.1', 8080)) === 'web');
  const added = await update(
    '--publish-add',
    '127.0.0.1:8081:80/tcp',
    '--publish-add',
    '5300-5301:53-54/udp',
    '--publish-rm',
    '82',
    'web',
  );
  expect(added).toMatchObject({ code: 0, stdout: 'web\n', stderr: '' });
  expect(await ask('127.0.0.1', 8081)).toBe('web');
  expect(await elements(8082)).toEqual([]);
  const wanted =
    '{"53/udp":[{"HostIp":"","HostPort":"5300"}],"54/udp":[{"HostIp":"","HostPort":"5301"}],"80/tcp":[{"HostIp":"","HostPort":"8080"},{"HostIp":"127.0.0.1","HostPort":"8081"}]}';
  expect(await bindings('web')).toBe(wanted);
  const published = await ports('web');
  expect(JSON.parse(published)).toEqual({
    '53/udp': [
      { HostIp: '0.0.0.0', HostPort: '5300' },
      { HostIp: '::', HostPort: '5300' },
    ],
    '54/udp': [
      { HostIp: '0.0.0.0', HostPort: '5301' },
      { HostIp: '::', HostPort: '5301' },
    ],
    '80/tcp': [
      { HostIp: '0.0.0.0', HostPort: '8080' },
      { HostIp: '::', HostPort: '8080' },
      { HostIp: '127.0.0.1', HostPort: '8081' },
    ],
    '82/tcp': null,
  });
  const events = await engine.out([
    'events',
    '--since',
    since,
    '--until',
    String(Math.ceil(Date.now() / 1000)),
    '--filter',
    'event=update',
    '--format',
    '{{.Actor.Attributes.name}}',
  ]);
  expect(events).toBe('web');
  await engine.restart('SIGKILL');
  expect(await ports('web')).toBe(published);
  expect(await ask('127.0.0.1', 8081)).toBe('web');
  await engine.out(['restart', '-t', '0', 'web']);
  expect([await ports('web'), await bindings('web')]).toEqual([published, wanted]);
  expect(await update('--publish-rm', '127.0.0.1:8081:80', '--publish-rm', '53-54/udp', 'web')).toMatchObject(
    {
      code: 0,
    },
  );
  expect(await bindings('web')).toBe('{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}');
  expect([await elements(8081), await elements(5300)]).toEqual([[], []]);
  // The last goes, too.
  expect(await update('--publish-rm', '80', 'web')).toMatchObject({ code: 0 });
  expect(await bindings('web')).toMatch(/^(?:\{\}|null)$/);
  expect(await elements(8080)).toEqual([]);
  expect(await run(['busybox', 'nc', '-w', '1', '127.0.0.1', '8080'])).toMatchObject({ stdout: '' });
}, 90_000);

test('a change that is refused names the holder and changes nothing; a stream through the helper goes on', async () => {
  await server('web', ['-p', '8080:80', '-p', '8083:83'], serving('web'));
  await server('other', ['-p', '8081:80']);
  using peer = await servePeer('web');
  const stream = start(['busybox', 'nc', '::1', '8083']);
  await eventually(() => stream.seen.stdout.includes('hello'), { what: () => 'a stream' });
  const before = [await ports('web'), await bindings('web'), (await elements(8080)).join()];
  const id = await inspect('web', '{{.Id}}');
  const refused = await update(
    '--publish-add',
    '8090:90',
    '--publish-add',
    '8081:81',
    '--publish-rm',
    '80',
    'web',
  );
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    `Cannot update container ${id}: Bind for 0.0.0.0:8081 failed: port is already allocated (by container other)`,
  );
  const absent = await update('--publish-add', '8090:90', '--publish-rm', '99', 'web');
  expect(absent.stderr).toContain('container web does not publish 99/tcp');
  const place = await update('--publish-rm', '8081:80', 'web');
  expect(place.stderr).toContain('container web does not publish 80/tcp on 8081');
  expect([await ports('web'), await bindings('web'), (await elements(8080)).join()]).toEqual(before);
  expect(await elements(8090)).toEqual([]);
  expect(await update('--publish-add', '8090:90', 'web')).toMatchObject({ code: 0 });
  void stream.child.stdin.write('again\n');
  void stream.child.stdin.flush();
  await eventually(() => stream.seen.stdout.includes('again'), { what: () => 'the stream to go on' });
  stream.child.kill();
  await server('host', ['--network', 'host'], 'sleep 1000');
  expect((await update('--publish-add', '8091:91', 'host')).stderr).toContain(
    'a container in network mode "host" has no ports of its own',
  );
  const bad = await engine.api('POST', '/containers/web/update', { PublishAdd: { 'x/tcp': [] } });
  expect(bad.status).toBe(400);
  const worse = await engine.api('POST', '/containers/web/update', { PublishRemove: { '80/icmp': null } });
  expect(worse).toMatchObject({ status: 400, body: expect.stringContaining('invalid port specification') });
  void peer;
}, 90_000);

/** In the container's network: port 83 says hello, then what it hears. */
async function servePeer(name: string): Promise<Disposable> {
  const pid = await inspect(name, '{{.State.Pid}}');
  const script = "while :; do busybox nc -ll -p 83 -e sh -c 'echo hello; exec cat'; done";
  const peer = start(['nsenter', '-t', pid, '-n', 'busybox', 'sh', '-c', `echo ready; ${script}`]);
  await peer.until(/ready/);
  return {
    [Symbol.dispose]: () => {
      peer.child.kill('SIGKILL');
    },
  };
}

test('a change of what does not run is what its next start publishes', async () => {
  await engine.out(['create', '--name', 'web', '-p', '8080:80', 'busybox', 'sh', '-c', serving('web')]);
  expect(await update('--publish-add', '8081:80', '--publish-rm', '8080:80', 'web')).toMatchObject({
    code: 0,
  });
  expect(await elements(8081)).toEqual([]);
  await engine.out(['start', 'web']);
  await eventually(async () => (await ask('127.0.0.1', 8081)) === 'web');
  expect(await elements(8080)).toEqual([]);
}, 60_000);

test('a daemon that is killed amid a change leaves what the record says', async () => {
  await server('web', ['-p', '8080:80']);
  for (let round = 0; round < 6; round++) {
    const port = 8100 + round;
    const change =
      round % 2 === 0
        ? { PublishAdd: { '80/tcp': [{ HostPort: String(port) }] } }
        : { PublishRemove: { '80/tcp': [{ HostPort: String(port - 1) }] } };
    const asked = engine.api('POST', '/containers/web/update', change).catch(() => undefined);
    await Bun.sleep(round * 2);
    await engine.stop('SIGKILL');
    await asked;
    await engine.start();
    const recorded = JSON.parse(await bindings('web')) as Record<string, { HostPort: string }[]>;
    const published = JSON.parse(await ports('web')) as Record<string, { HostPort: string }[]>;
    const wanted = (recorded['80/tcp'] ?? []).map(({ HostPort }) => HostPort).toSorted();
    const found = new Set((published['80/tcp'] ?? []).map(({ HostPort }) => HostPort));
    expect([...found].toSorted()).toEqual(wanted);
    for (let each = 8100; each < 8106; each++)
      expect([each, (await elements(each)).length > 0]).toEqual([each, wanted.includes(String(each))]);
    if (!wanted.includes(String(port))) continue;
    expect(await ask('127.0.0.1', port)).toBe('web');
  }
}, 120_000);

const PEER = join(import.meta.dir, 'peer.ts');

/** A server in the container's network that tells clients by which address it sees them. */
async function servePeers(name: string): Promise<Disposable> {
  const pid = await inspect(name, '{{.State.Pid}}');
  const peer = start(['nsenter', '-t', pid, '-n', process.execPath, PEER, 'serve', '1080', '53']);
  await peer.until(/ready/);
  return { [Symbol.dispose]: () => peer.child.kill('SIGKILL') };
}

test('a UDP client that keeps its port reaches the container that has the port now', async () => {
  const socket = createSocket('udp4');
  const answers: string[] = [];
  socket.on('message', (data) => void answers.push(String(data)));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const send = () => socket.send('ping', 5353, '127.0.0.1');
  /** One that comes after now; what is lost is sent again. */
  const answered = async () => {
    answers.length = 0;
    await eventually(
      () => {
        send();
        return answers.length > 0;
      },
      { what: () => 'an answer' },
    );
  };
  const tracked = async () => (await inspectFlows(socket.address().port)).length > 0;
  try {
    // Sent before there is a port: the flow leads to the machine itself.
    send();
    await server('first', ['-p', '127.0.0.1:5353:53/udp'], 'sleep 1000');
    {
      using _peer = await servePeers('first');
      await answered();
    }
    const old = await inspect('first', '{{.NetworkSettings.IPAddress}}');
    expect((await inspectFlows(socket.address().port)).join()).toContain(old);
    // Its address is still somebody's: what is sent there is lost, not refused.
    expect(await update('--publish-rm', '53/udp', 'first')).toMatchObject({ code: 0 });
    expect(await tracked()).toBe(false);
    await server('second', ['-p', '127.0.0.1:5353:53/udp'], 'sleep 1000');
    using _peer = await servePeers('second');
    await answered();
    const flows = (await inspectFlows(socket.address().port)).join();
    expect(flows).toContain(await inspect('second', '{{.NetworkSettings.IPAddress}}'));
    expect(flows).not.toContain(old);
  } finally {
    socket.close();
  }
}, 60_000);

/** What connection tracking knows of packets from this port to 5353. */
async function inspectFlows(sourcePort: number): Promise<string[]> {
  const { listFlows } = await import('../../../src/sys/testing/list-flows.ts');
  return listFlows({ family: 4, protocol: 'udp', destinationPort: 5353 })
    .filter(({ original }) => original.sourcePort === sourcePort)
    .map(({ reply }) => reply.source);
}
