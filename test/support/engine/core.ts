import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { type SeedRegistry, startSeedRegistry } from './seed-registry.ts';
import { type ClientName, startDaemon, type TestDaemon, type TestDaemonOptions } from './test-daemon.ts';

const CLIENTS: readonly ClientName[] = ['docker', 'sampan'];

/** The main job, whole, through both clients: it passes on every snapshotter and runtime. */
export function describeCore(name: string, options: TestDaemonOptions): void {
  describe(name, () => {
    let registry: SeedRegistry;
    let daemon: TestDaemon;

    beforeAll(async () => {
      registry = await startSeedRegistry();
      daemon = await startDaemon({ ...options, mirrors: [registry.url] });
      await daemon.pull('busybox');
    });
    afterEach(() => daemon?.removeContainers());
    afterAll(async () => {
      await daemon?.close();
      await registry?.close();
    });

    test('info names what was asked for', async () => {
      const info = await daemon.out(['info', '--format', '{{.Driver}} {{.DefaultRuntime}}']);
      expect(info).toBe(`${options.driver ?? 'erofs'} ${options.runtime ?? 'crun'}`);
    });

    for (const client of CLIENTS)
      describe(client, () => {
        test('run --rm echo hi', async () => {
          expect(await daemon.run(['run', '--rm', 'busybox', 'echo', 'hi'], { client })).toEqual({
            stdout: 'hi\n',
            stderr: '',
            code: 0,
          });
          expect(await daemon.out(['ps', '-aq'])).toBe('');
          expect(daemon.traces()).toEqual({ mounts: [], cgroups: [], files: [] });
        });

        test('run --rm of an image that is not here pulls it', async () => {
          await daemon.run(['rmi', '-f', 'hello-world']);
          const { stdout, stderr, code } = await daemon.run(['run', '--rm', 'hello-world'], { client });
          expect(stdout).toStartWith('\nHello from Sampan!\n');
          expect(stderr).toStartWith("Unable to find image 'hello-world:latest' locally\n");
          expect(stderr).toContain('Status: Downloaded newer image for hello-world:latest\n');
          expect(code).toBe(0);
        });

        test('run -i pipes 8 MB in and out', async () => {
          const input = new Uint8Array(8 << 20).map((_, at) => 97 + ((at >> 10) % 26));
          const { stdout, stderr, code } = await daemon.run(['run', '--rm', '-i', 'busybox', 'cat'], {
            client,
            stdin: input,
          });
          expect([code, stderr]).toEqual([0, '']);
          expect(stdout === new TextDecoder().decode(input)).toBe(true);
        });

        test('keeps standard output and error apart', async () => {
          const command = ['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 3'];
          expect(await daemon.run(command, { client })).toEqual({ stdout: 'out\n', stderr: 'err\n', code: 3 });
        });

        const shell = (script: string) => ['run', '--rm', 'busybox', 'sh', '-c', script];
        for (const [code, args] of [
          [0, shell('exit 0')],
          [7, shell('exit 7')],
          [125, ['run', '--rm', '--network', 'nowhere', 'busybox', 'true']],
          [126, ['run', '--rm', 'busybox', '/etc']],
          [127, ['run', '--rm', 'busybox', '/nothing']],
          [127, ['run', '--rm', 'busybox', 'nothing']],
          [137, shell('kill -9 $$; sleep 1')],
        ] as const)
          test(`run ends with ${code}: ${args.slice(2).join(' ')}`, async () => {
            const result = await daemon.run(args, { client });
            // The first process of a namespace does not die of its own signals, as in Docker.
            expect(result.code).toBe(code === 137 ? 0 : code);
            expect(await daemon.out(['ps', '-aq'])).toBe('');
          });

        test('run -d, ps, logs, inspect, kill: 137, rm', async () => {
          const id = await daemon.out(['run', '-d', '--name', 'web', 'busybox', 'sh', '-c', 'echo up; sleep 600'], {
            client,
          });
          expect(id).toMatch(/^[0-9a-f]{64}$/);
          expect(await daemon.out(['ps', '--format', '{{.Names}} {{.Image}} {{.Command}}'], { client })).toBe(
            'web busybox "sh -c \'echo up; slee…"',
          );
          const follow = daemon.startCommand(['logs', '-f', 'web'], client);
          await follow.until(/^up\n$/);
          const format = '{{.State.Status}} {{.State.Running}} {{.RestartCount}} {{.Name}} {{.Config.Image}}';
          expect(await daemon.out(['inspect', '-f', format, 'web'], { client })).toBe('running true 0 /web busybox');
          expect(await daemon.out(['kill', 'web'], { client })).toBe('web');
          expect(await daemon.out(['wait', 'web'], { client })).toBe('137');
          expect((await follow.end()).stdout).toBe('up\n');
          expect(await daemon.out(['ps', '-a', '--format', '{{.Status}}'], { client })).toStartWith('Exited (137) ');
          expect(await daemon.out(['rm', 'web'], { client })).toBe('web');
        });

        test('a name is given once', async () => {
          const id = await daemon.out(['create', '--name', 'one', 'busybox']);
          const { stderr, code } = await daemon.run(['run', '--name', 'one', 'busybox'], { client });
          expect(stderr).toContain(
            `Error response from daemon: Conflict. The container name "/one" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
          );
          expect(code).toBe(125);
        });

        test('-it has a terminal that follows the size of the client\'s', async () => {
          // script(1) gives the client a terminal; its size is set before and after the container's first line.
          const line = daemon.command(['run', '--rm', '-it', 'busybox', 'sh', '-c', 'tty; stty size; read x; stty size'], client);
          const inside = `stty rows 31 cols 97; (sleep 2; stty rows 40 cols 120 < $(tty < /dev/fd/0); ) & ${line.map((word) => `'${word}'`).join(' ')}`;
          const child = Bun.spawn(['script', '-qefc', inside, '/dev/null'], {
            stdin: 'pipe',
            stdout: 'pipe',
            stderr: 'pipe',
            env: { ...process.env, ...daemon.env },
            timeout: 30_000,
          });
          const output = new Response(child.stdout).text();
          await Bun.sleep(3500);
          child.stdin.write('go\n');
          await child.stdin.flush();
          const text = (await output).replaceAll('\r', '');
          expect([await child.exited, text]).toEqual([0, expect.stringContaining('/dev/pts/0\n31 97\n')]);
        });
      });

    test('stop asks with SIGTERM, then ends it by SIGKILL; start and restart run it again', async () => {
      await daemon.out(['run', '-d', '--name', 'polite', 'busybox', 'sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done']);
      await daemon.out(['run', '-d', '--name', 'deaf', 'busybox', 'sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 1; done']);
      for (const name of ['polite', 'deaf']) await daemon.startCommand(['logs', '-f', name]).until(/ready/);
      await daemon.out(['stop', '-t', '10', 'polite']);
      await daemon.out(['stop', '-t', '1', 'deaf']);
      const state = (name: string) => daemon.out(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', name]);
      expect([await state('polite'), await state('deaf')]).toEqual(['exited 5', 'exited 137']);
      await daemon.out(['start', 'polite']);
      expect(await state('polite')).toBe('running 0');
      const before = await daemon.out(['inspect', '-f', '{{.State.StartedAt}}', 'polite']);
      await daemon.out(['restart', '-t', '5', 'polite']);
      expect(await state('polite')).toBe('running 0');
      expect(await daemon.out(['inspect', '-f', '{{.State.StartedAt}}', 'polite'])).not.toBe(before);
    });

    test('a container keeps what it wrote; the image and its neighbours do not see it', async () => {
      await daemon.out(['run', '--name', 'writer', 'busybox', 'sh', '-c', 'echo 1 >> /tmp/f; rm /etc/group; cat /tmp/f']);
      expect(await daemon.out(['start', '-a', 'writer'])).toMatch(/^1\n1$/);
      expect(await daemon.out(['run', '--rm', 'busybox', 'ls', '/tmp', '/etc/group'])).toBe('/etc/group\n\n/tmp:');
    });

    test('images: list, history, inspect, tag, remove', async () => {
      await daemon.pull('hello-world');
      const list = await daemon.out(['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}']);
      expect(list.split('\n').sort()).toEqual(['busybox:latest', 'hello-world:latest']);
      expect(await daemon.out(['history', '--no-trunc', '--format', '{{.CreatedBy}}', 'hello-world'])).toBe(
        'CMD ["/hello"]\nCOPY hello / # buildkit',
      );
      expect(await daemon.out(['image', 'inspect', '-f', '{{json .Config.Cmd}} {{.Os}} {{len .RootFS.Layers}}', 'hello-world'])).toBe(
        '["/hello"] linux 1',
      );
      await daemon.out(['tag', 'hello-world', 'mine:v1']);
      expect(await daemon.out(['rmi', 'mine:v1'])).toBe('Untagged: mine:v1');
      expect(await daemon.out(['rmi', 'hello-world'])).toMatch(/^Untagged: hello-world:latest\n(.*\n)*Deleted: sha256:[0-9a-f]{64}/);
      const { stderr, code } = await daemon.run(['rmi', 'hello-world']);
      expect([stderr.trim(), code]).toEqual(['Error response from daemon: No such image: hello-world:latest', 1]);
    });

    test('an image in use is not removed', async () => {
      const id = await daemon.out(['create', 'busybox']);
      const { stderr } = await daemon.run(['rmi', 'busybox']);
      expect(stderr).toContain('conflict: unable to remove repository reference "busybox" (must force)');
      expect(stderr).toContain(`container ${id.slice(0, 12)} is using its referenced image`);
    });

    test('events tell of a run in order', async () => {
      const since = String(Date.now() / 1000);
      await daemon.out(['run', '--rm', '--name', 'told', 'busybox', 'true']);
      const until = String(Date.now() / 1000 + 0.5);
      const told = await daemon.out([
        'events', '--since', since, '--until', until, '--filter', 'container=told', '--filter', 'type=container', '--format', '{{.Action}}',
      ]);
      expect(told.split('\n')).toEqual(['create', 'attach', 'start', 'die', 'destroy']);
    });
  });
}
