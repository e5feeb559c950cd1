import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { RawClient } from '../../../src/server/testing/raw-client.ts';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

// What containers use, and attaching over WebSocket. Expected: Docker 28.5's answers on a host with cgroup v1.
describe('stats', () => {
  let engine: TestDaemon;
  let registry: SeedRegistry;
  beforeAll(async () => {
    registry = await startSeedRegistry();
    engine = await startDaemon({ mirrors: [registry.url] });
    await engine.pull('busybox');
    await engine.out([
      'run',
      '-d',
      '--name',
      'busy',
      '--pids-limit',
      '50',
      '-m',
      '64m',
      'busybox',
      'sh',
      '-c',
      'while :; do :; done',
    ]);
    await engine.out(['create', '--name', 'idle', 'busybox', 'true']);
  });
  afterAll(async () => {
    await engine?.close();
    await registry?.close();
  });
  type Stats = Record<string, Record<string, number | Record<string, number>>>;
  const json = async (path: string) => JSON.parse((await engine.api('GET', path)).body) as Stats;

  test('two looks, one, and none', async () => {
    const both = await json('/containers/busy/stats?stream=false');
    expect(Object.keys(both)).toEqual([
      'name',
      'id',
      'read',
      'preread',
      'pids_stats',
      'blkio_stats',
      'num_procs',
      'storage_stats',
      'cpu_stats',
      'precpu_stats',
      'memory_stats',
      'networks',
    ]);
    expect(both['pids_stats']).toEqual({ current: 1, limit: 50 });
    expect(both['memory_stats']?.['limit']).toBe(64 << 20);
    const [now, before] = [both['cpu_stats'], both['precpu_stats']];
    const usage = (cpu: Stats[string] | undefined) =>
      (cpu?.['cpu_usage'] as Record<string, number> | undefined)?.['total_usage'] ?? 0;
    expect(usage(now)).toBeGreaterThan(usage(before));
    expect(now?.['online_cpus']).toBeGreaterThan(0);
    expect(Object.keys(both['networks'] ?? {})).toEqual(['eth0']);
    const once = await json('/containers/busy/stats?stream=false&one-shot=true');
    expect([once['name'], once['preread']]).toEqual([undefined, '0001-01-01T00:00:00Z' as never]);
    expect(await json('/containers/idle/stats?stream=0')).toMatchObject({
      name: '/idle',
      memory_stats: {},
      pids_stats: {},
      blkio_stats: { sectors_recursive: null },
    });
    expect(await engine.api('GET', '/containers/busy/stats?one-shot=1')).toMatchObject({ status: 400 });
    expect(await engine.api('GET', '/containers/nope/stats')).toEqual({
      status: 404,
      body: '{"message":"No such container: nope"}\n',
    });
  });

  test.each(['docker', 'sampan'] as const)('%s stats', async (client) => {
    const table = await engine.out(['stats', '--no-stream', '-a'], { client });
    expect(table.split('\n')[0]).toBe(
      'CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O         BLOCK I/O   PIDS'.replace(
        /NET I\/O +/,
        /NET I\/O +/.exec(table)?.[0] ?? '',
      ),
    );
    expect(table).toMatch(/^\w{12} +busy +[1-9][\d.]*% +[\d.]+KiB \/ 64MiB +[\d.]+% .* 1$/m);
    expect(table).toMatch(/^\w{12} +idle +0\.00% +0B \/ 0B +0\.00% +0B \/ 0B +0B \/ 0B +0$/m);
    expect(
      await engine.out(['stats', '--no-stream', '--format', '{{.Container}} {{.Name}} {{.PIDs}}', 'busy'], {
        client,
      }),
    ).toBe('busy busy 1');
    expect(await engine.run(['stats', '--no-stream', 'nope'], { client })).toMatchObject({
      code: 1,
      stderr: 'Error response from daemon: No such container: nope\n',
    });
  });

  test('sampan stats draws what starts and ends while it watches, and ends with what was named', async () => {
    const all = engine.startCommand(['stats', '--format', '{{.Name}}'], 'sampan');
    await all.until(/busy/);
    await engine.out(['run', '-d', '--name', 'late', 'busybox', 'sleep', '1000']);
    await all.until(/late/);
    const one = engine.startCommand(['stats', 'late'], 'sampan');
    await one.until(/late/);
    await engine.out(['rm', '-f', 'late']);
    expect((await one.end()).code).toBe(0);
    all.child.kill('SIGINT');
    expect((await all.end()).code).toBe(130);
  });

  test('a client that does not read, and one that vanishes, hold up nothing', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(engine.socket)));
    for (const { socket } of clients) {
      socket.pause();
      socket.write('GET /v1.51/containers/busy/stats HTTP/1.1\r\nHost: d\r\n\r\n');
    }
    expect((await json('/containers/busy/stats?stream=0'))['name'] as unknown).toBe('/busy');
    for (const { socket } of clients) socket.destroy();
    expect((await json('/containers/busy/stats?stream=0'))['name'] as unknown).toBe('/busy');
  });

  test('a WebSocket carries the streams, and closes with the container or the client', async () => {
    await engine.out([
      'run',
      '-di',
      '--name',
      'talk',
      'busybox',
      'sh',
      '-c',
      'echo out; echo err >&2; while read l; do echo got $l; done',
    ]);
    const socket = (query: string) => {
      const url = `ws+unix://${engine.socket}:/v1.51/containers/talk/attach/ws?${query}`;
      const seen = { text: '', code: 0 };
      const web = new WebSocket(url);
      web.binaryType = 'arraybuffer';
      web.onmessage = ({ data }) => {
        seen.text += Buffer.from(data as ArrayBuffer).toString();
      };
      web.onclose = ({ code }) => {
        seen.code = code;
      };
      return { web, seen };
    };
    const first = socket('logs=1&stream=1&stdin=1&stdout=1&stderr=1');
    await eventually(() => /out\n/.test(first.seen.text) && /err\n/.test(first.seen.text), {
      what: () => JSON.stringify(first.seen),
    });
    const second = socket('stream=1&stdout=1');
    await eventually(() => second.web.readyState === WebSocket.OPEN);
    first.web.send('hello\n');
    await eventually(() => first.seen.text.endsWith('got hello\n') && second.seen.text === 'got hello\n');
    first.web.close();
    await eventually(() => first.seen.code === 1000);
    await engine.out(['kill', 'talk']);
    await eventually(() => second.seen.code === 1000);
  });
});
