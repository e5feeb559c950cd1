import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../support/engine/command.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { expectNothingLeft, importVolumeBox } from '../../support/engine/volume-box.ts';

// The daemon is killed while volumes are made, filled, mounted, read and removed: afterwards there is what is on record, and nothing else.
let engine: TestDaemon;
let source: string;
beforeAll(async () => {
  engine = await startDaemon();
  await importVolumeBox(engine, 'box');
  source = join(engine.root, 'precious');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'x');
});
afterAll(() => engine.close());

const device = ['-o', 'type=none', '-o', 'o=bind', '-o'];

/** Run commands that may fail, kill the daemon meanwhile, start it again. */
async function killAmid(delayMs: number, commands: string[][]): Promise<void> {
  const running = commands.map((args) => engine.run(args, { client: 'sampan' }));
  await Bun.sleep(delayMs);
  await engine.restart('SIGKILL');
  await Promise.allSettled(running);
}

test('killed at any time, nothing is left that nobody owns, and devices keep what is theirs', async () => {
  await engine.out(['volume', 'create', 'data']);
  await engine.out(['run', '--rm', '-v', 'data:/data', 'box', 'true']);
  for (let round = 0; round < 12; round++) {
    const dev = `dev${round}`;
    await engine.out(['volume', 'create', ...device, `device=${source}`, dev]);
    await killAmid(round * 25, [
      ['run', '--rm', '-v', `new${round}:/data`, '-v', `${dev}:/dev2`, 'box', 'true'],
      [
        'run',
        '--mount',
        `type=volume,src=data,dst=/s,volume-subpath=sub`,
        '--mount',
        'type=image,src=box,dst=/i',
        'box',
        'true',
      ],
      ['volume', 'clone', 'data', `clone${round}`],
      ['volume', 'rm', `dev${round - 1}`, `new${round - 1}`],
    ]);
  }
  await eventually(async () => (await engine.out(['ps', '-q'])) === '');
  await engine.removeContainers();
  const known = new Set((await engine.out(['volume', 'ls', '-q'])).split('\n'));
  for (const name of readdirSync(join(engine.dataRoot, 'volumes'))) expect(known.has(name), name).toBe(true);
  for (const name of known)
    if (name.startsWith('clone')) {
      const data = join(engine.dataRoot, 'volumes', name, '_data');
      expect(existsSync(join(data, 'sub/x')) && existsSync(join(data, 'hello')), name).toBe(true);
    }
  await expectNothingLeft(engine);
  await engine.out(['volume', 'rm', ...known]);
  expect(readdirSync(join(engine.dataRoot, 'volumes'))).toEqual([]);
  expect(readdirSync(source)).toEqual(['file']);
}, 180_000);

test('a device outlives the daemon with its container, and goes with it however the daemon ends', async () => {
  await engine.out(['volume', 'create', ...device, `device=${source}`, 'held']);
  await engine.out(['run', '-d', '--name', 'holder', '-v', 'held:/h', 'box', 'sleep', '1000']);
  const mounted = () => engine.traces().mounts.filter((point) => point.endsWith('held/_data'));
  await engine.restart('SIGKILL');
  expect(mounted()).toHaveLength(1);
  // It ends while nobody looks.
  const pid = Number(await engine.out(['inspect', '-f', '{{.State.Pid}}', 'holder']));
  await engine.stop('SIGKILL');
  process.kill(pid, 'SIGKILL');
  await engine.start();
  await eventually(() => mounted().length === 0);
  await engine.out(['start', 'holder']);
  expect(mounted()).toHaveLength(1);
  await engine.out(['rm', '-f', 'holder']);
  await eventually(() => mounted().length === 0);
  await engine.out(['volume', 'rm', 'held']);
  expect(readdirSync(source)).toEqual(['file']);
});
