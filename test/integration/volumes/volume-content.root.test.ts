import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { eventually, must } from '../../support/engine/command.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { expectNothingLeft, importVolumeBox } from '../../support/engine/volume-box.ts';
import { directory, file, makeTar, symlink, type TarMember } from '../../support/images/tar-maker.ts';

// `volume export`, `import` and `clone`: what Docker hasn't got.
let engine: TestDaemon;
beforeAll(async () => {
  engine = await startDaemon();
  await importVolumeBox(engine, 'box');
});
afterEach(async () => {
  await engine.removeContainers();
  await engine.out(['volume', 'prune', '-af']);
  await eventually(() => readdirSync(join(engine.dataRoot, 'volumes')).length === 0, {
    what: () => `no volume to be left: ${readdirSync(join(engine.dataRoot, 'volumes')).join(' ')}`,
  });
  await expectNothingLeft(engine);
});
afterAll(() => engine.close());

const sampan = (...args: string[]) => engine.run(['volume', ...args], { client: 'sampan' });
const dataOf = (name: string) => join(engine.dataRoot, 'volumes', name, '_data');
const inside = (name: string, script: string) =>
  engine.out(['run', '--rm', '-v', `${name}:/v`, 'box', 'sh', '-c', script]);

/** A volume with all that a file system keeps. */
async function makeSource(name = 'src'): Promise<void> {
  await engine.out(['volume', 'create', '--label', 'a=b', name]);
  await engine.out([
    'run',
    '--rm',
    '-v',
    `${name}:/data`,
    'box',
    'sh',
    '-c',
    'ln /data/hello /data/same; ln -s /etc/passwd /data/link',
  ]);
  writeFileSync(join(dataOf(name), '.wh.hello'), 'a name like others');
  writeFileSync(join(dataOf(name), 'caf\u00e9'), 'x'.repeat(300_000));
  await must(['mknod', join(dataOf(name), 'pipe'), 'p']);
  await must(['truncate', '-s', '64M', join(dataOf(name), 'sparse')]);
  await must(['touch', '-d', '2020-01-02T03:04:05Z', join(dataOf(name), 'sub/x'), join(dataOf(name), 'sub')]);
}

const LISTING = String.raw`find . -exec stat -c "%n %f %s %u:%g %h %Y" {} + | grep -v " \. " | sort`;
const listing = (name: string) => must(['sh', '-c', `cd ${dataOf(name)} && ${LISTING}`]);

test('what is exported and imported, or cloned, is what was there', async () => {
  await makeSource();
  const tar = join(engine.root, 'src.tar');
  expect(await sampan('export', '-o', tar, 'src')).toEqual({ stdout: '', stderr: '', code: 0 });
  expect(await sampan('import', '--label', 'c=d', 'imported', tar)).toEqual({
    stdout: 'imported\n',
    stderr: '',
    code: 0,
  });
  expect(await sampan('clone', 'src', 'cloned')).toEqual({ stdout: 'cloned\n', stderr: '', code: 0 });
  const expected = await listing('src');
  expect([await listing('imported'), await listing('cloned')]).toEqual([expected, expected]);
  expect(readFileSync(join(dataOf('cloned'), 'caf\u00e9'), 'utf8')).toHaveLength(300_000);
  expect(statSync(join(dataOf('cloned'), 'sparse')).blocks).toBeLessThan(64);
  const rootOf = (name: string) => must(['stat', '-c', '%a %u:%g', dataOf(name)]);
  expect([await rootOf('imported'), await rootOf('cloned')]).toEqual([
    '1770 1000:2000\n',
    '1770 1000:2000\n',
  ]);
  const labels = (name: string) => engine.out(['volume', 'inspect', '-f', '{{json .Labels}}', name]);
  expect([await labels('imported'), await labels('cloned')]).toEqual(['{"c":"d"}', '{"a":"b"}']);
  const gz = await must(
    [
      'sh',
      '-c',
      `gzip -c ${tar} | ${engine.command(['volume', 'import', '--owner', '5:6', 'zipped'], 'sampan').join(' ')}`,
    ],
    { env: engine.env },
  );
  expect([gz, await rootOf('zipped')]).toEqual(['zipped\n', '1770 5:6\n']);
  expect(await inside('zipped', 'cat /v/same')).toBe('hi');
});

test('export to a pipe; a volume that is being read stays', async () => {
  await makeSource();
  const { body } = await fetch('http://d/volumes/src/export', { unix: engine.socket } as RequestInit);
  const reader = body?.getReader();
  await reader?.read();
  expect(await engine.run(['volume', 'rm', 'src'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('volume is being read'),
  });
  await reader?.cancel();
  await eventually(async () => (await engine.run(['volume', 'rm', 'src'])).code === 0);
});

test('names that are taken, absent or none', async () => {
  await engine.out(['volume', 'create', 'one']);
  const failure = async (...args: string[]) =>
    (await engine.run(['volume', ...args], { client: 'sampan', stdin: makeTar([]) })).stderr;
  expect(await failure('import', 'one')).toContain('create one: a volume of that name is there already');
  expect(await failure('clone', 'one', 'one')).toContain(
    'create one: a volume of that name is there already',
  );
  expect(await failure('clone', 'nosuch', 'two')).toContain('get nosuch: no such volume');
  expect(await failure('export', 'nosuch')).toContain('get nosuch: no such volume');
  expect(await failure('import', 'a')).toContain('volume name is too short');
  expect(await failure('clone', 'one', '../x')).toContain('includes invalid characters');
});

const OUT = '../../../../../../tmp/sampan-volume-outside';
const HOSTILE: Record<string, TarMember[]> = {
  'a name that climbs': [file(OUT, 'x')],
  'a link that others lie behind': [symlink('out', '/tmp'), file('out/sampan-volume-outside', 'x')],
  'a relative link': [symlink('out', '../../../../../../tmp'), file('out/sampan-volume-outside', 'x')],
  'a hard link out': [{ name: 'hard', type: '1', linkName: OUT }, file('hard', 'x')],
  'an end that is missing': [{ ...file('cut', 'x'), size: 5000 }],
};
test.each(Object.entries(HOSTILE))(
  'an import of %s reaches nothing outside, and leaves no half',
  async (_what, members) => {
    const outside = '/tmp/sampan-volume-outside';
    const { code } = await engine.run(['volume', 'import', 'evil'], {
      client: 'sampan',
      stdin: makeTar([directory('d'), ...members], { open: true }),
    });
    expect(existsSync(outside)).toBe(false);
    expect(existsSync(dataOf('evil'))).toBe(code === 0);
  },
);

test('a client that vanishes leaves no half of an import', async () => {
  const client = engine.startCommand(['volume', 'import', 'half'], 'sampan');
  void client.child.stdin.write(makeTar([file('first', 'x'.repeat(100_000))], { open: true }));
  await client.child.stdin.flush();
  await eventually(() => existsSync(join(dataOf('half'), 'first')));
  client.child.kill('SIGKILL');
  await eventually(() => !existsSync(dataOf('half')));
  expect((await engine.run(['volume', 'create', 'half'])).code).toBe(0);
});

test('a copy while a container swaps folders for links takes nothing from outside', async () => {
  const secret = join(engine.root, 'secret');
  mkdirSync(secret);
  writeFileSync(join(secret, 'key'), 'secret');
  await engine.out(['volume', 'create', 'racy']);
  mkdirSync(join(dataOf('racy'), 'real'));
  writeFileSync(join(dataOf('racy'), 'real/key'), 'harmless');
  symlinkSync(secret, join(dataOf('racy'), 'swap'));
  const script =
    'while true; do mv /v/swap /v/tmp; mv /v/real /v/swap; mv /v/swap /v/real; mv /v/tmp /v/swap; done';
  await engine.out(['run', '-d', '--name', 'swapper', '-v', 'racy:/v', 'box', 'sh', '-c', script]);
  for (let at = 0; at < 6; at++) {
    expect((await sampan('clone', 'racy', `copy${at}`)).code).toBe(0);
    const { stdout } = await engine.run(['volume', 'export', 'racy'], { client: 'sampan' });
    const copied = await must(['sh', '-c', `find ${dataOf(`copy${at}`)} -type f -exec cat {} +`]);
    expect(copied + stdout).not.toContain('secret\n');
    expect(copied).not.toContain('secret');
    expect(stdout.replaceAll(secret, '')).not.toContain('secret');
  }
});
