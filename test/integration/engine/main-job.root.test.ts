import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

const MATRIX = [
  { driver: 'erofs', runtime: 'crun' },
  { driver: 'overlay', runtime: 'crun' },
  { driver: 'erofs', runtime: 'runc' },
] as const;

describe.each(MATRIX)('the main job on $driver with $runtime', ({ driver, runtime }) => {
  let registry: SeedRegistry | undefined;
  let engine: TestDaemon;

  beforeAll(async () => {
    registry = await startSeedRegistry();
    engine = await startDaemon({ driver, runtime, mirrors: [registry.url] });
    await engine.pull('busybox');
  });
  afterEach(() => engine.removeContainers());
  afterAll(async () => {
    await engine.close();
    await registry?.close();
  });

  for (const client of ['docker', 'sampan'] as const) {
    test(`${client} run --rm prints what the container says and leaves nothing`, async () => {
      expect(await engine.run(['run', '--rm', 'busybox', 'echo', 'hi'], { client })).toMatchObject({
        stdout: 'hi\n',
        code: 0,
      });
      await eventually(() => engine.traces().files.length === 0 && engine.traces().cgroups.length === 0, {
        what: () => `nothing to be left: ${JSON.stringify(engine.traces())}`,
      });
    });

    test(`${client} run: exit codes of the command, of what is not there, of what is no program`, async () => {
      const code = async (...args: string[]) => (await engine.run(['run', '--rm', ...args], { client })).code;
      expect(await code('busybox', 'sh', '-c', 'exit 7')).toBe(7);
      expect(await code('busybox', 'nosuch')).toBe(127);
      expect(await code('busybox', '/etc')).toBe(126);
      expect(await code('busybox', 'sh', '-c', 'sleep 9 & kill -9 $!; wait $!')).toBe(137);
      expect(await code('--memory', '1', 'busybox', 'true')).toBe(125);
    });

    test(`${client} run -i carries megabytes in and out unharmed`, async () => {
      const input = 'x'.repeat(63).concat('\n').repeat(50_000);
      const { stdout, code } = await engine.run(['run', '--rm', '-i', 'busybox', 'cat'], {
        client,
        stdin: input,
      });
      expect([code, stdout.length, stdout === input]).toEqual([0, input.length, true]);
    });

    test(`${client} keeps stdout and stderr apart`, async () => {
      const result = await engine.run(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2'], {
        client,
      });
      expect(result).toMatchObject({ stdout: 'out\n', stderr: 'err\n' });
    });

    test(`${client} run -d, ps, logs, stop, rm`, async () => {
      const id = await engine.out(
        ['run', '-d', '--name', 'web', 'busybox', 'sh', '-c', 'echo up; exec sleep 1000'],
        { client },
      );
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      expect(await engine.out(['ps', '--format', '{{.Names}} {{.Image}} {{.State}}'], { client })).toBe(
        'web busybox running',
      );
      await eventually(async () => (await engine.out(['logs', 'web'], { client })) === 'up');
      expect(await engine.run(['run', '--name', 'web', 'busybox'], { client })).toMatchObject({
        code: 125,
        stderr: expect.stringContaining('The container name "/web" is already in use by container "'),
      });
      expect(await engine.run(['rm', 'web'], { client })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(
          'container is running: stop the container before removing or force remove',
        ),
      });
      expect(await engine.out(['stop', '-t', '0', 'web'], { client })).toBe('web');
      expect(
        await engine.out(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'web'], { client }),
      ).toBe('exited 137');
      expect(await engine.out(['rm', 'web'], { client })).toBe('web');
      expect(await engine.out(['ps', '-aq'], { client })).toBe('');
    });
  }

  test('a TTY has the size that the client asks for, and one stream', async () => {
    const script = [
      'script',
      '-qec',
      `stty rows 33 cols 44; ${engine.command(['run', '--rm', '-it', 'busybox', 'sh', '-c', 'sleep 0.3; stty size; echo err >&2']).join(' ').replace('sh -c sleep', "sh -c 'sleep").concat("'")}`,
      '/dev/null',
    ];
    const child = Bun.spawn(script, {
      env: { ...engine.env, PATH: process.env['PATH'] ?? '' },
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    expect(await new Response(child.stdout).text()).toContain('33 44\r\nerr\r\n');
    expect(await child.exited).toBe(0);
  });

  test('a container reaches its neighbour and the bridge, by its own address', async () => {
    await engine.out(['run', '-d', '--name', 'neighbour', 'busybox', 'sleep', '1000']);
    const address = await engine.out(['inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'neighbour']);
    const gateway = await engine.out(['inspect', '-f', '{{.NetworkSettings.Gateway}}', 'neighbour']);
    for (const target of [address, gateway])
      expect((await engine.run(['run', '--rm', 'busybox', 'ping', '-c1', '-W2', target])).code).toBe(0);
    expect(
      (await engine.run(['run', '--rm', '--network', 'none', 'busybox', 'ping', '-c1', '-W1', gateway])).code,
    ).toBe(1);
  });

  test('a container is as locked in as one of Docker: capabilities, seccomp, masked paths', async () => {
    const status = await engine.out([
      'run',
      '--rm',
      'busybox',
      'grep',
      '-E',
      'CapEff|Seccomp:',
      '/proc/self/status',
    ]);
    expect(status).toContain('00000000a80425fb');
    expect(status).toMatch(/Seccomp:\t2/);
    expect((await engine.run(['run', '--rm', 'busybox', 'mount', '-t', 'tmpfs', 'x', '/tmp'])).code).not.toBe(
      0,
    );
    expect((await engine.run(['run', '--rm', '--read-only', 'busybox', 'touch', '/x'])).code).toBe(1);
    expect(await engine.out(['run', '--rm', 'busybox', 'wc', '-c', '/proc/keys'])).toStartWith('0 ');
  });

  test('images: list, history, inspect, tag, and removal that a container holds back', async () => {
    expect(await engine.out(['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'])).toBe('busybox:latest');
    expect((await engine.out(['history', '--format', '{{.CreatedBy}}', 'busybox'])).split('\n')).toEqual([
      'CMD ["sh"]',
      'ADD busybox.tar.gz / # buildkit',
    ]);
    expect(
      await engine.out([
        'image',
        'inspect',
        '-f',
        '{{json .Config.Cmd}} {{.Os}} {{len .RootFS.Layers}}',
        'busybox',
      ]),
    ).toBe('["sh"] linux 1');
    await engine.out(['tag', 'busybox', 'other:1']);
    expect(await engine.out(['rmi', 'other:1'])).toBe('Untagged: other:1');
    await engine.out(['create', '--name', 'holder', 'busybox']);
    expect(await engine.run(['rmi', 'busybox'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'conflict: unable to remove repository reference "busybox" (must force) - container',
      ),
    });
  });

  test('stop asks with SIGTERM, then ends it by SIGKILL; start and restart run it again', async () => {
    const run = (name: string, script: string) =>
      engine.out(['run', '-d', '--name', name, 'busybox', 'sh', '-c', script]);
    await run('polite', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done');
    await run('deaf', 'trap "" TERM; echo ready; while :; do sleep 0.1; done');
    for (const name of ['polite', 'deaf'])
      await eventually(async () => (await engine.out(['logs', name])) === 'ready');
    await engine.out(['stop', '-t', '10', 'polite']);
    await engine.out(['stop', '-t', '1', 'deaf']);
    const state = (name: string) =>
      engine.out(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', name]);
    expect([await state('polite'), await state('deaf')]).toEqual(['exited 5', 'exited 137']);
    await engine.out(['start', 'polite']);
    expect(await state('polite')).toBe('running 0');
    await engine.out(['restart', '-t', '5', 'polite']);
    expect(await state('polite')).toBe('running 0');
  });

  test('a container keeps what it wrote; the image and its neighbours do not see it', async () => {
    await engine.out([
      'run',
      '--name',
      'writer',
      'busybox',
      'sh',
      '-c',
      'echo 1 >> /tmp/f; rm /etc/group; cat /tmp/f',
    ]);
    expect(await engine.out(['start', '-a', 'writer'])).toBe('1\n1');
    expect(await engine.out(['run', '--rm', 'busybox', 'ls', '/tmp', '/etc/group'])).toBe(
      '/etc/group\n\n/tmp:',
    );
  });

  test('events tell a run in order', async () => {
    const since = String(Math.floor(Date.now() / 1000) - 1);
    await engine.out(['run', '--rm', '--name', 'ev', 'busybox', 'true']);
    const until = String(Math.ceil(Date.now() / 1000) + 1);
    const events = await engine.out([
      'events',
      '--since',
      since,
      '--until',
      until,
      '--filter',
      'container=ev',
      '--format',
      '{{.Action}}',
    ]);
    expect(events.split('\n')).toEqual(['create', 'attach', 'start', 'die', 'destroy']);
  });
});
