import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, run } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

/** A mirror of `origin`: passes on what it is asked for, with a wrong byte in each blob if it lies. */
function startMirror(origin: string, { lies }: { lies: boolean }) {
  const requests: string[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      requests.push(`${request.method} ${pathname}${search}`);
      const answer = await fetch(origin + pathname, { method: request.method, headers: request.headers });
      const bytes = await answer.bytes();
      const at = bytes.length >> 1;
      if (lies && pathname.includes('/blobs/')) bytes[at] = (bytes[at] ?? 0) ^ 1;
      const headers = new Headers(answer.headers);
      headers.delete('content-encoding');
      return new Response(request.method === 'HEAD' ? null : bytes, { status: answer.status, headers });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, requests, close: () => server.stop(true) };
}

let origin: SeedRegistry;
let liar: ReturnType<typeof startMirror>;
let honest: ReturnType<typeof startMirror>;
let layers: string;
let engine: TestDaemon;
const host = () => origin.url.replace('http://', '');
const image = () => `${host()}/library/busybox`;
const warnings = () => engine.log.split('\n').filter((line) => line.includes('mirror '));
const mirrorsOf = (...mirrors: string[]) => ({ registries: { [host()]: { mirrors } } });

beforeAll(async () => {
  await must(['ip', 'link', 'set', 'lo', 'up']);
  origin = await startSeedRegistry();
  liar = startMirror(origin.url, { lies: true });
  honest = startMirror(origin.url, { lies: false });
  // The daemon reads /etc/sampan/certs.d: here that is a folder of the test's own.
  layers = mkdtempSync(join(tmpdir(), 'etc-'));
  await must(['mount', '-t', 'tmpfs', 'tmpfs', layers]);
  for (const name of ['upper', 'work']) mkdirSync(join(layers, name));
  const options = `lowerdir=/etc,upperdir=${layers}/upper,workdir=${layers}/work`;
  await must(['mount', '-t', 'overlay', 'overlay', '-o', options, '/etc']);
  engine = await startDaemon({ config: mirrorsOf(liar.url, honest.url) });
});
afterAll(async () => {
  await engine.close();
  await Promise.all([liar.close(), honest.close(), origin.close()]);
  await run(['umount', '-l', '/etc']);
  await run(['umount', '-l', layers]);
  rmSync(layers, { recursive: true });
});

test('a mirror that serves a wrong byte is left behind with a warning, and the pull succeeds from the next source', async () => {
  await engine.out(['pull', image()]);
  expect(await engine.out(['run', '--rm', image(), 'echo', 'whole'])).toBe('whole');
  expect(liar.requests.some((request) => request.includes('/blobs/'))).toBe(true);
  expect(honest.requests.some((request) => request.includes('/blobs/'))).toBe(true);
  expect(warnings()).toEqual([expect.stringContaining('mirror sent wrong bytes, asking the next source')]);
  expect(warnings()[0]).toContain(liar.url);
});

test('image copy goes from registry to registry, past a mirror that lies, and keeps nothing here', async () => {
  const before = await engine.out(['images', '-aq']);
  const target = await startSeedRegistry();
  const copied = `${target.url.replace('http://', '')}/copied/busybox:v1`;
  expect(await engine.out(['image', 'copy', image(), copied], { client: 'sampan' })).toEndWith(copied);
  expect(await engine.out(['images', '-aq'])).toBe(before);
  const digestAt = async (url: string) =>
    (await fetch(url, { method: 'HEAD', headers: { accept: '*/*' } })).headers.get('docker-content-digest');
  expect(await digestAt(`${target.url}/v2/copied/busybox/manifests/v1`)).toBe(
    await digestAt(`${origin.url}/v2/library/busybox/manifests/latest`),
  );
  await target.close();
});

test('info shows the mirrors of each registry; SIGHUP brings others without a restart', async () => {
  const indexes = async (): Promise<Record<string, { Mirrors: string[] }>> =>
    JSON.parse(await engine.out(['info', '-f', '{{json .RegistryConfig.IndexConfigs}}']));
  expect((await indexes())[host()]?.Mirrors).toEqual([`${liar.url}/`, `${honest.url}/`]);
  engine.configure({ ...mirrorsOf('ftp://nowhere') });
  await engine.reload();
  expect((await indexes())[host()]?.Mirrors).toEqual([`${liar.url}/`, `${honest.url}/`]);
  engine.configure({ ...mirrorsOf(honest.url), 'registry-mirrors': [honest.url] });
  await engine.reload();
  expect((await indexes())[host()]?.Mirrors).toEqual([`${honest.url}/`]);
  expect(await engine.out(['info'])).toContain(`Registry Mirrors:\n  ${honest.url}/`);
  const asked = [liar.requests.length, honest.requests.length];
  await engine.out(['rmi', image()]);
  await engine.out(['pull', image()]);
  expect(liar.requests.length).toBe(asked[0] ?? 0);
  expect(
    honest.requests.slice(asked[1]).some((request) => request.endsWith(`ns=${encodeURIComponent(host())}`)),
  ).toBe(true);
});

test('hosts.toml is seen without a reload; a mistake in it is told by pull and info', async () => {
  const folder = join('/etc/sampan/certs.d', host());
  mkdirSync(folder, { recursive: true });
  const toml = (text: string) => writeFileSync(join(folder, 'hosts.toml'), text);
  engine.configure({ registries: {} });
  await engine.reload();
  toml(`[host."${honest.url}"]\ncapabilities = ["pull", "resolve"]\n`);
  // What was read a moment ago holds for a second.
  await Bun.sleep(1100);
  const asked = honest.requests.length;
  await engine.out(['rmi', image()]);
  await engine.out(['pull', image()]);
  expect(honest.requests.length).toBeGreaterThan(asked);
  toml('mirrors = []\n');
  await Bun.sleep(1100);
  const message = `Cannot use ${join(folder, 'hosts.toml')}: unknown key "mirrors"`;
  const { code, stderr } = await engine.run(['pull', `${host()}/library/hello-world`]);
  expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
  expect(await engine.out(['info', '-f', '{{json .Warnings}}'])).toContain(
    JSON.stringify(message).slice(1, -1),
  );
  rmSync(join('/etc/sampan/certs.d'), { recursive: true });
});
