import { afterAll, beforeAll, expect, test } from 'bun:test';
import { PassThrough } from 'node:stream';
import Docker from 'dockerode';
import { type SeedRegistry, startSeedRegistry } from '../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let docker: Docker;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  docker = new Docker({ socketPath: engine.socket });
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

test('dockerode pulls, creates, attaches, starts, waits, reads logs and removes', async () => {
  expect(String(await docker.ping())).toBe('OK');
  const pull = await docker.pull('busybox:latest');
  const progress = await new Promise<{ status: string }[]>((resolve, reject) =>
    docker.modem.followProgress(pull, (error: Error | null, lines: { status: string }[]) =>
      error ? reject(error) : resolve(lines),
    ),
  );
  expect(progress.at(-1)?.status).toBe('Status: Downloaded newer image for busybox:latest');
  const container = await docker.createContainer({
    Image: 'busybox',
    Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 4'],
  });
  const stream = await container.attach({ stream: true, stdout: true, stderr: true });
  const seen = { out: '', err: '' };
  const [out, err] = [new PassThrough(), new PassThrough()];
  out.on('data', (data) => (seen.out += data));
  err.on('data', (data) => (seen.err += data));
  container.modem.demuxStream(stream, out, err);
  const ended = new Promise((resolve) => stream.on('end', resolve));
  await container.start();
  expect(await container.wait()).toMatchObject({ StatusCode: 4 });
  await ended;
  expect(seen).toEqual({ out: 'out\n', err: 'err\n' });
  expect((await container.logs({ stdout: true, stderr: false })).toString()).toContain('out\n');
  expect((await container.inspect()).State.ExitCode).toBe(4);
  await container.remove();
  const missing = await container.inspect().then(
    () => undefined,
    (error: { statusCode: number }) => error.statusCode,
  );
  expect(missing).toBe(404);
});

test('dockerode runs commands in a container: apart, with input, in a terminal', async () => {
  const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '600'] });
  await container.start();
  const exec = await container.exec({
    Cmd: ['sh', '-c', 'cat; echo err >&2; exit 6'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const seen = { out: '', err: '' };
  const [out, err] = [new PassThrough(), new PassThrough()];
  out.on('data', (data) => (seen.out += data));
  err.on('data', (data) => (seen.err += data));
  exec.modem.demuxStream(stream, out, err);
  const ended = new Promise((resolve) => stream.on('end', resolve));
  stream.end('typed\n');
  await ended;
  expect(seen).toEqual({ out: 'typed\n', err: 'err\n' });
  expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 6 });
  const terminal = await container.exec({ Cmd: ['tty'], Tty: true, AttachStdout: true });
  const raw = await terminal.start({ hijack: false, Tty: true });
  let text = '';
  for await (const chunk of raw) text += String(chunk);
  expect(text).toMatch(/^\/dev\/pts\/\d+\r\n$/);
  await container.remove({ force: true });
});
