import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { SdkSchemas } from '../../support/api/sdk-schema.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { file, makeTar } from '../../support/images/tar-maker.ts';

const schemas = new SdkSchemas();
let registry: SeedRegistry | undefined;
let engine: TestDaemon;
const VERSION = '/v1.51';

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
  await engine.out(['volume', 'create', '--label', 'a=b', 'vol']);
  const rich = [
    '-v',
    'vol:/vol',
    '-v',
    '/anon',
    '--mount',
    'type=tmpfs,dst=/tmpfs',
    '-v',
    '/usr/share:/bound:ro',
  ];
  const limits = ['-m', '64m', '--ulimit', 'nofile=64:64', '--device', '/dev/null:/dev/n', '-l', 'x=y'];
  const health = ['--health-cmd', 'true', '--health-interval', '200ms', '--restart', 'on-failure:3'];
  const command = ['busybox', 'sh', '-c', 'echo out; echo err >&2; sleep 1000'];
  await engine.out(['run', '-d', '--name', 'rich', ...rich, ...limits, ...health, ...command]);
  await engine.out(['run', '-d', '--name', 'plain', '--network', 'none', ...command]);
  await engine.out([
    'run',
    '-d',
    '--name',
    'ended',
    '-v',
    '/gone',
    'busybox',
    'sh',
    '-c',
    'echo > /new; exit 3',
  ]);
  await engine.out(['wait', 'ended']);
  await engine.out(['create', '--name', 'fresh', '-t', '-i', 'busybox']);
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

interface Ask {
  body?: unknown;
  status?: number;
}

async function ask(method: string, path: string, { body, status = 200 }: Ask = {}): Promise<string> {
  const init: RequestInit & { unix: string } = {
    method,
    unix: engine.socket,
    signal: AbortSignal.timeout(20_000),
  };
  if (body instanceof Uint8Array) init.body = body;
  else if (body !== undefined) {
    init.headers = { 'content-type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  const response = await fetch(`http://d${VERSION}${path}`, init);
  const text = await response.text();
  expect([response.status, response.status === status ? '' : text]).toEqual([status, '']);
  return text;
}

/** Where Docker 28.5's own answers are not as its description of them has it, and ours are as Docker's. */
const AS_DOCKER = [
  'HostConfig.MemorySwappiness: null is no number',
  'ExitCode: null is no number',
  '[].Containers',
  'status',
  'id',
  'from',
];
/** What we tell beside it: to whom the space belongs. */
const OURS = ['Owners'];
const MORE = new Set([...AS_DOCKER, ...OURS]);

async function holds(type: string, method: string, path: string, options?: Ask): Promise<unknown> {
  const value: unknown = JSON.parse(await ask(method, path, options));
  expect(schemas.faults(value, type, MORE)).toEqual([]);
  return value;
}

const answers: [type: string, method: string, path: string, options?: Ask][] = [
  ['ContainerSummary[]', 'GET', '/containers/json?all=1&size=1'],
  ['ContainerInspectResponse', 'GET', '/containers/rich/json?size=1'],
  ['ContainerInspectResponse', 'GET', '/containers/plain/json'],
  ['ContainerInspectResponse', 'GET', '/containers/ended/json'],
  ['ContainerInspectResponse', 'GET', '/containers/fresh/json'],
  ['ContainerTopResponse', 'GET', '/containers/rich/top'],
  ['ContainerTopResponse', 'GET', '/containers/rich/top?ps_args=aux'],
  ['FilesystemChange[]', 'GET', '/containers/ended/changes'],
  ['ContainerStatsResponse', 'GET', '/containers/rich/stats?stream=0'],
  ['ContainerStatsResponse', 'GET', '/containers/rich/stats?stream=0&one-shot=1'],
  ['ContainerStatsResponse', 'GET', '/containers/plain/stats?stream=0&one-shot=1'],
  ['ContainerStatsResponse', 'GET', '/containers/ended/stats?stream=0&one-shot=1'],
  ['ContainerWaitResponse', 'POST', '/containers/ended/wait'],
  ['ContainerUpdateResponse', 'POST', '/containers/rich/update', { body: { PidsLimit: 300 } }],
  [
    'ContainerCreateResponse',
    'POST',
    '/containers/create?name=made',
    { body: { Image: 'busybox' }, status: 201 },
  ],
  ['VolumeListResponse', 'GET', '/volumes'],
  ['Volume', 'GET', '/volumes/vol'],
  ['Volume', 'POST', '/volumes/create', { body: { Name: 'more', Labels: { a: 'b' } }, status: 201 }],
  ['SystemInfo', 'GET', '/info'],
  ['SystemVersion', 'GET', '/version'],
  ['SystemDataUsageResponse', 'GET', '/system/df'],
  ['SystemDataUsageResponse', 'GET', '/system/df?type=volume&type=container'],
  ['ImageSummary[]', 'GET', '/images/json?all=1&shared-size=1'],
  ['ImageInspect', 'GET', '/images/busybox/json'],
  ['HistoryResponseItem[]', 'GET', '/images/busybox/history'],
  ['NetworkSummary[]', 'GET', '/networks'],
  ['NetworkInspect', 'GET', '/networks/bridge'],
];

// Without the fourth, bun would take the parameter for a `done` callback.
test.each(answers.map(([type, method, path, options = {}]) => [type, method, path, options] as const))(
  'the answer is a %s: %s %s',
  async (type, method, path, options) => {
    await holds(type, method, path, options);
  },
);

test('each line of /events is an EventMessage', async () => {
  const until = Math.ceil(Date.now() / 1000) + 1;
  const lines = (await ask('GET', `/events?since=0&until=${until}`)).trim().split('\n');
  expect(lines.length).toBeGreaterThan(10);
  const types = new Set<unknown>();
  for (const line of lines) {
    const event = JSON.parse(line) as { Type: string };
    types.add(event.Type);
    expect(schemas.faults(event, 'EventMessage', MORE)).toEqual([]);
  }
  expect(types).toEqual(new Set(['container', 'image', 'network', 'volume']));
});

test('an exec: created, started, resized, inspected', async () => {
  const body = { Cmd: ['sleep', '100'], Tty: true, AttachStdout: true };
  const { Id } = (await holds('IDResponse', 'POST', '/containers/rich/exec', { body, status: 201 })) as {
    Id: string;
  };
  await holds('ExecInspectResponse', 'GET', `/exec/${Id}/json`);
  expect(await ask('POST', `/exec/${Id}/start`, { body: { Detach: true, Tty: true } })).toBe('');
  expect(await ask('POST', `/exec/${Id}/resize?h=20&w=30`)).toBe('');
  await holds('ExecInspectResponse', 'GET', `/exec/${Id}/json`);
});

const silent: [method: string, path: string, status: number][] = [
  ['POST', '/containers/plain/pause', 204],
  ['POST', '/containers/plain/unpause', 204],
  ['POST', '/containers/plain/restart?t=0', 204],
  ['POST', '/containers/plain/start', 304],
  ['POST', '/containers/plain/rename?name=renamed', 204],
  ['POST', '/containers/renamed/kill', 204],
  ['POST', '/containers/fresh/start', 204],
  ['POST', '/containers/fresh/resize?h=20&w=30', 200],
  ['POST', '/containers/fresh/stop?t=0', 204],
  ['POST', '/containers/fresh/stop', 304],
  ['DELETE', '/containers/fresh?v=1', 204],
  ['DELETE', '/volumes/more', 204],
];

test.each(silent)('%s %s is done without a word: %d', async (method, path, status) => {
  expect(await ask(method, path, { status })).toBe('');
});

describe('files', () => {
  test('archives: header, tar out, tar in', async () => {
    const archive = makeTar([file('put', 'put in')]);
    expect(await ask('PUT', '/containers/rich/archive?path=/', { body: archive })).toBe('');
    const head = await fetch(`http://d${VERSION}/containers/rich/archive?path=/put`, {
      method: 'HEAD',
      unix: engine.socket,
    } as RequestInit);
    const stat = JSON.parse(
      Buffer.from(head.headers.get('x-docker-container-path-stat') ?? '', 'base64').toString(),
    ) as Record<string, unknown>;
    expect(
      schemas.faults(stat, '{ name: string; size: number; mode: number; mtime: string; linkTarget: string }'),
    ).toEqual([]);
    expect(await ask('GET', '/containers/rich/archive?path=/put')).toContain('put in\0');
    expect(await ask('GET', '/containers/ended/export')).toContain('ustar');
  });
});

test('what is pruned and removed is told of', async () => {
  await holds('ContainerPruneResponse', 'POST', '/containers/prune');
  await holds('VolumePruneResponse', 'POST', '/volumes/prune?filters={"all":["true"]}');
  await holds('ImagePruneResponse', 'POST', '/images/prune');
  await holds('BuildPruneResponse', 'POST', '/build/prune');
});

/** Each endpoint of a container, an exec, a volume; what the caller asks for does not exist. */
const missing: [method: string, path: string, body?: unknown][] = [
  ...['json', 'top', 'logs?stdout=1', 'changes', 'export', 'stats?stream=0', 'archive?path=/'].map(
    (what): [string, string] => ['GET', `/containers/nope/${what}`],
  ),
  ...['start', 'stop', 'restart', 'kill', 'pause', 'unpause', 'wait', 'attach?stdout=1'].map(
    (what): [string, string] => ['POST', `/containers/nope/${what}`],
  ),
  ['POST', '/containers/nope/rename?name=x'],
  ['POST', '/containers/nope/resize?h=1&w=1'],
  ['POST', '/containers/nope/update', {}],
  ['POST', '/containers/nope/exec', { Cmd: ['true'] }],
  ['DELETE', '/containers/nope'],
  ['GET', '/exec/nope/json'],
  ['POST', '/exec/nope/start', {}],
  ['POST', '/exec/nope/resize?h=1&w=1'],
  ['GET', '/volumes/nope'],
  ['DELETE', '/volumes/nope'],
  ['GET', '/images/nope/json'],
  ['GET', '/images/nope/history'],
  ['DELETE', '/images/nope'],
  ['GET', '/networks/nope'],
];

test.each(missing.map(([method, path, body = null]) => [method, path, body] as const))(
  '%s %s is answered by an ErrorResponse, 404',
  async (method, path, body) => {
    const options: Ask = body === null ? { status: 404 } : { body, status: 404 };
    const value = (await holds('ErrorResponse', method, path, options)) as { message: string };
    expect(value.message).toMatch(/No such|get nope|network nope/i);
  },
);
