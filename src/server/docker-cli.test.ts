import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseListenAddress } from './listen-address.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const docker = Bun.which('docker');
// oxlint-disable-next-line no-console -- a skip has to be heard
if (docker === null) console.warn('SKIPPED: no docker command on PATH to drive the API with');

describe.skipIf(docker === null)('the stock docker command', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
    const { programs } = server.engine;
    programs.set('cat', async (client) => {
      for await (const data of client.stdin) await client.write('stdout', data);
      return 0;
    });
    programs.set('both', async (client) => {
      await client.write('stdout', Buffer.from('out\n'));
      await client.write('stderr', Buffer.from('err\n'));
      return 42;
    });
    programs.set('big', async (client) => {
      for (let at = 0; at < 512; at++) await client.write('stdout', Buffer.alloc(32768, 0x61));
      return 0;
    });
  });
  afterAll(() => server.stop());

  async function run(
    args: string[],
    stdin?: string | Uint8Array<ArrayBuffer>,
    host = ['-H', `unix://${server.path}`],
  ) {
    const child = Bun.spawn([docker ?? 'docker', ...host, ...args], {
      stdin: stdin === undefined ? 'ignore' : new Blob([stdin]),
      stdout: 'pipe',
      stderr: 'pipe',
      env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' },
      timeout: 10_000,
    });
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { stdout, stderr, code };
  }

  test('version and info', async () => {
    const version = await run([
      'version',
      '--format',
      '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Arch}}',
    ]);
    expect(version.stdout).toBe('0.1.0 1.51 1.24 amd64\n');
    const info = await run([
      'info',
      '--format',
      '{{.Driver}} {{.Containers}} {{.DefaultRuntime}} {{.RegistryConfig.Mirrors}}',
    ]);
    expect(info.stdout).toBe('erofs 3 crun [http://127.0.0.1:5000/]\n');
    expect((await run(['info'])).code).toBe(0);
  });

  test('run gives both streams and the exit code', async () => {
    const result = await run(['run', '--rm', 'busybox', 'both']);
    expect({ ...result, stderr: result.stderr.split('\n')[0] }).toEqual({
      stdout: 'out\n',
      stderr: 'err',
      code: 42,
    });
    expect((await run(['ps', '-aq'])).stdout).toBe('');
  });

  test('run -i pipes 4 MB through', async () => {
    const input = new Uint8Array(4 << 20).fill(0x62);
    const result = await run(['run', '--rm', '-i', 'busybox', 'cat'], input);
    expect([result.stdout.length, result.stderr, result.code]).toEqual([4 << 20, '', 0]);
  });

  test('run passes 16 MB of output on', async () => {
    expect((await run(['run', '--rm', 'busybox', 'big'])).stdout.length).toBe(16 << 20);
  });

  test('run -i pipes through TCP and through TLS, half-close included', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sampan-tls-'));
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    try {
      const { exitCode } = Bun.spawnSync(
        // biome-ignore format: one option and its value per pair
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
          '-subj', '/CN=test', '-keyout', key, '-out', cert, '-addext', 'subjectAltName=IP:127.0.0.1'],
        { stderr: 'ignore' },
      );
      expect(exitCode).toBe(0);
      const pem = readFileSync(cert);
      const plain = await server.server.listen(parseListenAddress('tcp://127.0.0.1:0'));
      const tls = await server.server.listen(
        parseListenAddress('tcp://127.0.0.1:0', {
          tls: { cert: pem, key: readFileSync(key), clientCa: pem },
        }),
      );
      const verify = ['--tlsverify', '--tlscacert', cert, '--tlscert', cert, '--tlskey', key];
      const input = new Uint8Array(1 << 20).fill(0x63);
      for (const host of [
        ['-H', plain],
        ['-H', tls, ...verify],
      ]) {
        const result = await run(['run', '--rm', '-i', 'busybox', 'cat'], input, host);
        expect([result.stdout.length, result.stderr, result.code]).toEqual([1 << 20, '', 0]);
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('run -d, ps, inspect, logs, top, wait, stop, rm', async () => {
    server.engine.logLines = async function* () {
      yield { stream: 'stdout', timeNano: 1700000000123456789n, data: Buffer.from('one\n') };
      yield { stream: 'stderr', timeNano: 1700000000123456790n, data: Buffer.from('two\n') };
    };
    const id = (
      await run(['run', '-d', '--name', 'daemon', '-e', 'A=b', 'busybox', 'sleep', '5'])
    ).stdout.trim();
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect((await run(['ps', '--format', '{{.Names}} {{.Image}} {{.Command}} {{.State}}'])).stdout).toBe(
      'daemon busybox "sleep 5" running\n',
    );
    expect(
      (await run(['inspect', 'daemon', '-f', '{{json .Config.Env}} {{.State.Running}} {{.Name}}'])).stdout,
    ).toBe('["A=b"] true /daemon\n');
    expect(await run(['logs', 'daemon'])).toEqual({ stdout: 'one\n', stderr: 'two\n', code: 0 });
    expect((await run(['logs', '-t', 'daemon'])).stdout).toBe('2023-11-14T22:13:20.123456789Z one\n');
    expect((await run(['top', 'daemon'])).stdout).toContain('sh');
    const waiting = run(['wait', 'daemon']);
    expect((await run(['rm', 'daemon'])).stderr).toContain(
      'container is running: stop the container before removing or force remove',
    );
    expect((await run(['stop', 'daemon'])).stdout).toBe('daemon\n');
    expect((await waiting).stdout).toBe('143\n');
    expect((await run(['kill', 'daemon'])).stderr).toContain(
      `cannot kill container: daemon: container ${id} is not running`,
    );
    expect((await run(['rm', 'daemon'])).stdout).toBe('daemon\n');
  });

  test('pull shows layers; images, history, inspect, tag, rmi', async () => {
    server.engine.pullWith = async (_request, progress) => {
      progress({ id: 'latest', status: 'Pulling from library/busybox' });
      progress({ id: '0123456789ab', status: 'Downloading', current: 1, total: 2 });
      progress({ id: '0123456789ab', status: 'Pull complete' });
      progress({ status: 'Status: Downloaded newer image for busybox:latest' });
    };
    expect((await run(['pull', 'busybox'])).stdout).toBe(
      'Using default tag: latest\nlatest: Pulling from library/busybox\n0123456789ab: Pull complete\nStatus: Downloaded newer image for busybox:latest\ndocker.io/library/busybox:latest\n',
    );
    expect((await run(['images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}'])).stdout).toBe(
      'busybox:latest aaaaaaaaaaaa 1.98MB\n',
    );
    expect((await run(['history', 'busybox', '--format', '{{.ID}} {{.CreatedBy}} {{.Size}}'])).stdout).toBe(
      'aaaaaaaaaaaa CMD ["sh"] 0B\n<missing> ADD rootfs / 5B\n',
    );
    expect(
      (await run(['image', 'inspect', 'busybox', '-f', '{{.Os}}/{{.Architecture}} {{.RootFS.Layers}}']))
        .stdout,
    ).toBe(`linux/amd64 [sha256:${'d'.repeat(64)}]\n`);
    expect((await run(['tag', 'busybox', 'reg.local/x:1'])).code).toBe(0);
    expect(server.engine.imageViews[0]?.repoTags.pop()).toBe('reg.local/x:1');
    expect((await run(['rmi', 'busybox'])).stdout).toBe(
      `Untagged: busybox\nDeleted: sha256:${'a'.repeat(64)}\n`,
    );
  });

  test('what is refused, is refused in words that help', async () => {
    expect((await run(['inspect', 'nope'])).stderr).toBe('Error: No such object: nope\n');
    expect((await run(['node', 'ls'])).stderr).toContain('This node is not a swarm manager');
    expect((await run(['rm', 'nope'])).stderr).toBe('Error response from daemon: No such container: nope\n');
  });

  test('events, network ls, prune', async () => {
    server.engine.eventSource = async function* () {
      yield {
        type: 'container',
        action: 'die',
        actorId: 'c1',
        attributes: { image: 'busybox', exitCode: '0' },
        timeNano: 1700000000123456789n,
      };
    };
    expect(
      (
        await run([
          'events',
          '--since',
          '1h',
          '--until',
          '1s',
          '--format',
          '{{.Type}} {{.Action}} {{.TimeNano}}',
        ])
      ).stdout,
    ).toBe('container die 1700000000123456789\n');
    expect((await run(['network', 'ls', '--format', '{{.Name}} {{.Driver}}'])).stdout).toBe(
      'bridge bridge\nhost host\nnone null\n',
    );
    expect((await run(['container', 'prune', '-f'])).stdout).toBe('Total reclaimed space: 0B\n');
  });
});
