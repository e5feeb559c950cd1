import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { eventually, must, run } from '../../support/engine/command.ts';
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
  await eventually(async () => !(await elements()).includes(':'), { what: () => 'the maps of ports to be empty' });
});
afterAll(async () => {
  await engine.close();
  await outside.close();
  await registry?.close();
});

const serving = (text: string, port = 80) => `while :; do nc -l -p ${port} -e echo ${text}; done`;
const server = (name: string, options: readonly string[], script = serving(name)) =>
  engine.out(['run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', script]);
const inspect = (name: string, format: string) => engine.out(['inspect', '-f', format, name]);

/** What a server says there; '' where nobody listens. */
async function ask(address: string, port: number, prefix: readonly string[] = []): Promise<string> {
  const { stdout } = await run([...prefix, 'busybox', 'nc', '-w', '2', address, String(port)]);
  return stdout.trim();
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
