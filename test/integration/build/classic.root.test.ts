import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry;
let daemon: TestDaemon;
const folders: string[] = [];

beforeAll(async () => {
  registry = await startSeedRegistry();
  daemon = await startDaemon({ mirrors: [registry.url] });
}, 60_000);

afterAll(async () => {
  await daemon?.close();
  await registry?.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}, 60_000);

function project(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'build-'));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const classic = { env: { DOCKER_BUILDKIT: '0' } };

describe('the stock client’s classic build', () => {
  test('makes an image of FROM, RUN, COPY and CMD, and finds it cached the second time', async () => {
    const folder = project({
      Dockerfile: 'FROM busybox\nRUN echo hello > /made\nCOPY file /copied\nCMD ["cat","/made","/copied"]\n',
      file: 'world\n',
    });
    const first = await daemon.run(['build', '-t', 'one', folder], classic);
    expect(first.stderr + first.stdout).toContain('Successfully tagged one:latest');
    expect(await daemon.out(['run', '--rm', 'one'])).toBe('hello\nworld');
    const second = await daemon.run(['build', '-t', 'two', folder], classic);
    expect(second.stdout.match(/Using cache/g)?.length).toBe(2);
    // As Docker: what is found has not run.
    expect([first, second].map(({ stdout }) => stdout.includes('Running in'))).toEqual([true, false]);
    const idOf = async (name: string) => daemon.out(['image', 'inspect', '--format', '{{.Id}}', name]);
    expect(await idOf('two')).toBe(await idOf('one'));
  }, 60_000);

  test('a build on a user-defined network finds its containers by name', async () => {
    await daemon.out(['network', 'create', 'built']);
    await daemon.out([
      'run',
      '-d',
      '--name',
      'target',
      '--network',
      'built',
      '--network-alias',
      'other.name',
      'busybox',
      'sleep',
      '1000',
    ]);
    const folder = project({ Dockerfile: 'FROM busybox\nRUN nslookup other.name && ping -c 1 target\n' });
    try {
      const { code, stdout, stderr } = await daemon.run(['build', '--network', 'built', folder], classic);
      expect([code, stderr.includes('error')], stdout + stderr).toEqual([0, false]);
    } finally {
      await daemon.out(['rm', '-f', 'target']);
      await daemon.out(['network', 'rm', 'built']);
    }
  }, 60_000);

  test('a remote context is a repository or a download, and no file of this host', async () => {
    for (const remote of ['file:///etc/passwd', 'data:text/plain,FROM%20scratch', '/etc', 'ssh://git@x/y'])
      expect(await daemon.api('POST', `/build?remote=${encodeURIComponent(remote)}`)).toEqual({
        status: 500,
        body: `{"message":"remoteURL (${remote}) could not be recognized as URL"}\n`,
      });
    // Ours may name contexts that others can't.
    const { code, stderr } = await daemon.run(
      ['build', '--build-context', 'x=file:///etc', project({ Dockerfile: 'FROM x' })],
      {
        client: 'sampan',
      },
    );
    expect([code, stderr]).not.toEqual([0, '']);
  }, 60_000);

  test('--isolation is default, in any case, or refused in Docker’s words; so it is in ours and by session', async () => {
    const folder = project({ Dockerfile: 'FROM busybox\nLABEL a=b\n' });
    const clients = [
      ['docker', classic],
      ['sampan', {}],
    ] as const;
    for (const [client, options] of clients) {
      const build = (value: string) =>
        daemon.run(['build', '--isolation', value, '-t', 'isolated', folder], { client, ...options });
      for (const value of ['default', 'DEFAULT', '']) expect((await build(value)).code).toBe(0);
      const { code, stderr } = await build('hyperv');
      expect(code).toBe(1);
      expect(stderr).toContain('unsupported isolation: "hyperv"\n');
    }
    expect(await daemon.api('POST', '/build?version=2&isolation=process')).toEqual({
      status: 400,
      body: '{"message":"unsupported isolation: \\"process\\""}\n',
    });
  }, 60_000);

  test('tells of build arguments that no ARG asks for, in Docker’s words, at the end', async () => {
    const Dockerfile = 'ARG ABOVE\nFROM busybox AS other\nARG OTHER\nFROM busybox\nARG OWN\nLABEL a=b\n';
    const folder = project({ Dockerfile });
    const build = async (...words: string[]): Promise<string> => {
      const { code, stdout } = await daemon.run(['build', ...words, folder], classic);
      expect(code).toBe(0);
      return stdout;
    };
    const args = (...names: string[]) => names.flatMap((name) => ['--build-arg', `${name}=1`]);
    const warned = await build(...args('X', 'OWN', 'HTTP_PROXY', 'no_proxy', 'A', 'SOURCE_DATE_EPOCH'));
    expect(warned.split('\n').slice(-3)).toEqual([
      '[Warning] One or more build-args [A SOURCE_DATE_EPOCH X] were not consumed',
      expect.stringMatching(/^Successfully built [0-9a-f]{12}$/),
      '',
    ]);
    expect(warned).toContain('Step 1/4 : ARG ABOVE\nStep 2/4 : FROM busybox\n');
    expect(await build(...args('ABOVE', 'OTHER', 'OWN'))).not.toContain('Warning');
    expect(await build('-q', ...args('X'))).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    // Without a value it is given all the same.
    expect(await build('--build-arg', 'B')).toContain('build-args [B] were');
  }, 60_000);
});
