import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOST_UID, type OwnEtc, ownEtc, remappedDaemon } from '../../support/engine/remapped-daemon.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import type { TestDaemon } from '../../support/engine/test-daemon.ts';

let etc: OwnEtc | undefined;
let registry: SeedRegistry | undefined;
let daemon: TestDaemon;
const work = mkdtempSync(join(tmpdir(), 'sampan-build-'));

beforeAll(async () => {
  etc = await ownEtc();
  registry = await startSeedRegistry();
  daemon = remappedDaemon({ mirrors: [registry.url] });
  await daemon.start();
}, 60_000);
afterAll(async () => {
  await daemon?.close();
  await registry?.close();
  await etc?.close();
  rmSync(work, { recursive: true, force: true });
}, 60_000);

let projects = 0;
async function build(dockerfile: string, ...args: string[]): Promise<{ code: number; stderr: string }> {
  const folder = join(work, String(++projects));
  mkdirSync(folder);
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  writeFileSync(join(folder, 'secret'), 'told\n');
  writeFileSync(join(folder, 'copied'), 'x');
  return await daemon.run(['build', '--progress=plain', ...args, folder], { client: 'sampan' });
}
const stat = (image: string, ...paths: string[]) =>
  daemon.out(['run', '--rm', image, 'stat', '-c', '%u:%g', ...paths]).then((text) => text.split('\n'));

test('a RUN has the containers’ ids, and its layer those that it saw', async () => {
  const { code, stderr } = await build(
    [
      'FROM busybox',
      'COPY --chown=3:4 copied /c',
      'RUN cat /proc/self/uid_map && echo a > /a && chown 5:6 /a && mkdir /d && touch /etc/passwd /c && rm /etc/shadow && echo > /dev/stderr',
      'USER 1',
      'RUN id -u && echo b > /tmp/b && ping -c 1 -W 5 127.0.0.1 > /dev/null; wget -q -O /dev/null http://127.0.0.1:1; echo out > /dev/stdout',
      'USER 0',
    ].join('\n'),
    '-t',
    'built',
  );
  expect([code, stderr]).toEqual([0, expect.stringMatching(new RegExp(`0\\s+${HOST_UID}\\s+65536`))]);
  expect(await stat('built', '/', '/a', '/d', '/c', '/etc/passwd', '/tmp/b', '/proc')).toEqual([
    '0:0',
    '5:6',
    '0:0',
    '3:4',
    '0:0',
    '1:1',
    expect.stringMatching(/^\d+:\d+$/),
  ]);
  expect((await daemon.run(['run', '--rm', 'built', 'test', '-e', '/etc/shadow'])).code).toBe(1);
}, 60_000);

test('caches, secrets, stages and tmpfs are there for the step’s users', async () => {
  const mounts =
    '--mount=type=cache,target=/cache,uid=7 --mount=type=secret,id=s,target=/s,uid=8,mode=0400 --mount=from=first,target=/first,rw --mount=type=tmpfs,target=/t';
  const dockerfile = (nonce: string) =>
    [
      'FROM busybox AS first',
      'RUN touch /own && chown 9:9 /own',
      'FROM busybox',
      `RUN ${mounts} stat -c %u /cache /s /first/own /t > /seen && cat /s >> /seen && touch /first/x /t/x /cache/${nonce} && chown 11 /cache/${nonce} && (stat -c "%n %u" /cache/* >> /seen)`,
    ].join('\n');
  for (const [nonce, files] of [
    ['one', ['/cache/one 11']],
    ['two', ['/cache/one 11', '/cache/two 11']],
  ] as const) {
    const { code, stderr } = await build(
      dockerfile(nonce),
      '-t',
      nonce,
      '--secret',
      `id=s,src=${join(work, '1/secret')}`,
    );
    expect([code, stderr]).toEqual([0, expect.anything()]);
    const seen = (await daemon.out(['run', '--rm', nonce, 'cat', '/seen'])).split('\n');
    expect(seen).toEqual(['7', '8', '9', '0', 'told', ...files]);
  }
}, 60_000);

test('with the host’s network a step has the host’s ids, and nothing is left mounted', async () => {
  const { code, stderr } = await build(
    'FROM busybox\nRUN --network=host cat /proc/self/uid_map',
    '--allow',
    'network.host',
  );
  expect([code, stderr]).toEqual([0, expect.stringMatching(/0\s+0\s+4294967295/)]);
  const { mounts, files } = daemon.traces();
  expect([
    ...mounts.filter((place) => /\/run\/(rootfs|mounts)\/|\/mapped(-layers)?\//.test(place)),
    ...files,
  ]).toEqual([]);
  expect(readdirSync(join(daemon.execRoot, 'mounts'))).toEqual([]);
}, 60_000);
