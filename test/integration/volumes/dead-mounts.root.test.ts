import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeadMount, mountDead } from '../../support/engine/dead-server.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { expectNothingLeft, importVolumeBox } from '../../support/engine/volume-box.ts';

// What containers are to mount lies on a server that never answers: whoever has to do with something else is served, and each of them can be removed.
let dead: DeadMount;
let engine: TestDaemon;
beforeAll(async () => {
  dead = mountDead();
  engine = await startDaemon();
  await importVolumeBox(engine, 'box');
});
afterAll(async () => {
  await engine?.close();
  dead?.close();
});
afterEach(async () => {
  await engine.removeContainers();
  await expectNothingLeft(engine);
});

const device = (name: string, path: string) =>
  engine.out(['volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${path}`, name]);

type Answer = Promise<{ status: number; body: string }>;

/** Begin a start that does not end by itself. */
async function beginStart(name: string, ...flags: string[]): Promise<{ answer: Answer }> {
  await engine.out(['create', '--name', name, ...flags, 'box', 'sleep', '1000']);
  const answer = engine.api('POST', `/containers/${name}/start`);
  expect(await Promise.race([answer, Bun.sleep(300)])).toBeUndefined();
  return { answer };
}

/** All that has nothing to do with them, and what only looks at them. */
async function expectService(names: readonly string[]): Promise<void> {
  expect(
    await engine.out(['run', '--rm', '-v', `${engine.root}/client:/c`, 'box', 'cat', '/data/hello']),
  ).toBe('hi');
  expect(await engine.out(['ps', '-a', '-q'])).toMatch(names.length > 0 ? /./ : /^/);
  for (const name of names)
    expect(await engine.inspect(name)).toMatchObject({ State: { Status: 'created' } });
  expect((await engine.api('GET', '/system/df')).status).toBe(200);
}

const WAYS: [string, () => Promise<string[]>][] = [
  ['a bind of it', async () => ['-v', `${dead.path}:/x`]],
  ['a bind of something in it', async () => ['-v', `${dead.path}/sub:/x`]],
  ['a read-only bind', async () => ['-v', `${dead.path}:/x:ro`]],
  [
    'a volume that it is the device of',
    async () => {
      await device('whole', dead.path);
      return ['-v', 'whole:/x'];
    },
  ],
  [
    'a volume whose mount does not return',
    async () => {
      await device('part', `${dead.path}/sub`);
      return ['-v', 'part:/x'];
    },
  ],
  [
    'a place within a volume',
    async () => {
      await device('below', dead.path);
      return ['--mount', 'type=volume,src=below,dst=/x,volume-subpath=sub,volume-nocopy'];
    },
  ],
];

test.each(WAYS)(
  '%s holds up nobody, and gives way to a removal',
  async (_, flagsOf) => {
    const flags = await flagsOf();
    const names = ['one', 'two', 'three', 'four'];
    const starts = [];
    for (const name of names) starts.push(await beginStart(name, ...flags));
    await expectService(names);
    await engine.out(['rm', '-f', ...names]);
    for (const { answer } of starts)
      expect(await answer).toMatchObject({ status: 409, body: expect.stringContaining('given up') });
  },
  60_000,
);

test('a stop gives it its time, and not more', async () => {
  const { answer } = await beginStart('slow', '-v', `${dead.path}:/x`);
  expect((await engine.api('POST', '/containers/slow/stop?t=1')).status).toBe(304);
  expect(await answer).toMatchObject({ status: 409 });
  expect(await engine.inspect('slow')).toMatchObject({ State: { Status: 'created', Running: false } });
});

test('a daemon that ends does not wait for it, nor the next one', async () => {
  const { answer } = await beginStart('held', '--restart', 'always', '-v', `${dead.path}:/x`);
  const failed = answer.catch(() => undefined);
  await engine.restart();
  await failed;
  expect(await engine.inspect('held')).toMatchObject({ State: { Running: false } });
}, 60_000);

test('copies from and into its containers hold up nobody, and end with them', async () => {
  const names = ['one', 'two', 'three'];
  const file = join(engine.root, 'file');
  writeFileSync(file, 'x');
  const copies = [];
  for (const name of names) {
    await engine.out(['create', '--name', name, '-v', `${dead.path}:/x`, 'box', 'true']);
    copies.push(
      engine.run(['cp', file, `${name}:/data/file`]),
      engine.run(['cp', `${name}:/data/hello`, '-']),
    );
  }
  const tar = new Uint8Array(1024);
  const init = { method: 'PUT', body: tar, unix: engine.socket };
  copies.push(
    fetch('http://d/containers/one/archive?path=/data', init).then(({ status }) => ({ code: status })),
  );
  expect(await Promise.race([...copies, Bun.sleep(1000)])).toBeUndefined();
  await expectService(names);
  await engine.out(['rm', '-f', ...names]);
  for (const copy of copies) expect((await copy).code).not.toBe(0);
}, 60_000);

test('a creation that looks for its source waits by itself', async () => {
  const mounts = [{ Type: 'bind', Source: dead.path, Target: '/x' }];
  const create = (name: string) =>
    engine.api('POST', `/containers/create?name=${name}`, { Image: 'box', HostConfig: { Mounts: mounts } });
  const creations = ['one', 'two', 'three'].map((name) => create(name).catch(() => undefined));
  expect(await Promise.race([...creations, Bun.sleep(300)])).toBeUndefined();
  await expectService([]);
  // The daemon's end is theirs.
  await engine.restart();
  await Promise.all(creations);
}, 60_000);
