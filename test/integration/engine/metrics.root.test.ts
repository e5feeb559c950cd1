import { afterAll, beforeAll, expect, test } from 'bun:test';
import { run } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, TestDaemon } from '../../support/engine/test-daemon.ts';

const ADDRESS = '127.0.0.1:9323';
let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url], config: { 'metrics-addr': ADDRESS } });
  await engine.pull('busybox');
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

async function metrics(): Promise<Map<string, number>> {
  const lines = (await (await fetch(`http://${ADDRESS}/metrics`)).text()).split('\n');
  // Each line is a comment or a sample, as the format has it.
  for (const line of lines)
    expect(line).toMatch(
      /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="([^"\\]|\\.)*"(,\w+="([^"\\]|\\.)*")*\})? -?[0-9.e+-]+)?$/,
    );
  const samples = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

const actions = (action: string) => `engine_daemon_container_actions_seconds_count{action="${action}"}`;

test('metrics tell what containers did and do, under the names of Docker', async () => {
  await engine.out(['run', '-d', '--name', 'running', 'busybox', 'sleep', '600']);
  await engine.out(['run', '-d', '--name', 'paused', 'busybox', 'sleep', '600']);
  await engine.out(['pause', 'paused']);
  await engine.out(['create', '--name', 'created', 'busybox', 'true']);
  await engine.out(['run', '--rm', 'busybox', 'true']);
  await engine.out(['diff', 'running']);
  await engine.run(['start', 'nosuch']);
  const found = await metrics();
  for (const [state, count] of [
    ['running', 1],
    ['paused', 1],
    ['stopped', 1],
  ] as const)
    expect(found.get(`engine_daemon_container_states_containers{state="${state}"}`)).toBe(count);
  expect(found.get(actions('create'))).toBe(4);
  expect(found.get(actions('start'))).toBe(3);
  expect(found.get(actions('changes'))).toBe(1);
  expect(found.get(actions('commit'))).toBe(0);
  expect(found.get('sampan_container_start_seconds_bucket{le="+Inf"}')).toBe(3);
  const route = 'method="POST",route="/containers/{}/start"';
  expect(found.get(`sampan_api_requests_total{${route},outcome="error"}`)).toBe(1);
  expect(found.get('sampan_image_pulls_total')).toBe(1);
  expect(found.get('sampan_images')).toBe(1);
  expect(found.get('sampan_gc_collections_total')).toBeGreaterThan(0);
  expect(found.get('sampan_events_total{type="container",action="start"}')).toBe(3);
  expect(found.get('sampan_network_namespaces_total{source="ready"}')).toBeGreaterThan(0);
  const version = await engine.out(['version', '-f', '{{.Server.Version}}']);
  const info = [...found.keys()].find((name) => name.startsWith('engine_daemon_engine_info{'));
  expect(info).toContain(`version="${version}"`);
  expect(found.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
});

test('an address that is taken ends the start of a daemon with one error', async () => {
  const other = new TestDaemon({ bip: '10.99.0.1/24' });
  const { code, stderr, stdout } = await run(sampand(other));
  await other.close();
  expect(code).not.toBe(0);
  expect(`${stdout}${stderr}`).toContain(`Cannot serve metrics on ${ADDRESS}: `);
});

const sampand = (daemon: TestDaemon): string[] => [
  `${import.meta.dir}/../../../bin/sampand`,
  ...daemon.arguments,
  '--metrics-addr',
  ADDRESS,
];
