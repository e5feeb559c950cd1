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
