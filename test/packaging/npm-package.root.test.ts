import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, run } from '../support/engine/command.ts';
import { startDaemon, type TestDaemon } from '../support/engine/test-daemon.ts';

// The library as its users get it: packed, installed into an empty folder, imported by Node, read by tsc.
const checkout = join(import.meta.dir, '../..');
let folder = '';
let tarball = '';
let daemon: TestDaemon;
const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', npm_config_cache: '' };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'n-'));
  env.npm_config_cache = join(folder, 'cache');
  await must(['node', join(checkout, 'scripts/package.mjs'), '--only', 'npm', '--out', folder], {
    env,
    timeoutMs: 120_000,
  });
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
  tarball = join(folder, `sampan-${version}.tgz`);
  mkdirSync(join(folder, 'app'));
  writeFileSync(join(folder, 'app/package.json'), '{"name":"app","type":"module"}\n');
  // Nothing is fetched for it: it needs nothing.
  await must(['npm', 'install', '--offline', '--no-audit', '--no-fund', tarball], {
    env,
    cwd: join(folder, 'app'),
  });
  daemon = await startDaemon();
}, 300_000);
afterAll(async () => {
  await daemon?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

test('the tarball holds the library, its types, README and licence, and nothing else', async () => {
  const names = (await must(['tar', '-tzf', tarball]))
    .trim()
    .split('\n')
    .map((name) => name.replace('package/', ''));
  const rest = names.filter((name) => !/^dist\/library\/[a-z][\w/-]*\.(?:js|d\.ts)$/.test(name));
  expect(rest.toSorted(byName)).toEqual(['LICENSE', 'README.md', 'README.zh-CN.md', 'package.json']);
  expect(names).toContain('dist/library/client/library/index.js');
  expect(names).toContain('dist/library/client/library/index.d.ts');
  expect(names.filter((name) => /\.test\.|\/(?:testing|server|daemon|cli)\//.test(name))).toEqual([]);
});

test('its users get no dependency, no program and no script at install', async () => {
  const installed = join(folder, 'app/node_modules');
  const manifest = JSON.parse(readFileSync(join(installed, 'sampan/package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  for (const key of ['dependencies', 'optionalDependencies', 'peerDependencies', 'bin'])
    expect(manifest).not.toHaveProperty(key);
  expect(manifest['engines']).toEqual({ node: '>=18' });
  expect((await must(['ls', installed])).trim()).toBe('sampan');
  const scripts = Object.keys(manifest['scripts'] as object);
  expect(scripts.filter((name) => /^(?:pre|post)?install$|^prepare$/.test(name))).toEqual([]);
});

test('Node imports it and talks to a daemon', async () => {
  const program = `import { connect } from 'sampan';
const engine = await connect({ host: ${JSON.stringify(`unix://${daemon.socket}`)} });
console.log(JSON.stringify(await engine.images.list()), engine.removesWithProcess);
await engine.close();
`;
  writeFileSync(join(folder, 'app/index.js'), program);
  expect(await must(['node', 'index.js'], { env, cwd: join(folder, 'app') })).toBe('[] true\n');
}, 60_000);

test.each(['nodenext', 'bundler'])(
  'tsc finds its types under moduleResolution %s',
  async (resolution) => {
    const app = join(folder, 'app');
    const types = join(checkout, 'node_modules/@types');
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: 'es2022',
      lib: ['es2022', 'dom', 'dom.asynciterable', 'esnext.disposable'],
      module: resolution === 'nodenext' ? 'nodenext' : 'esnext',
      moduleResolution: resolution,
      typeRoots: [types],
      types: ['node'],
      skipLibCheck: false,
    };
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['right.ts'] }));
    writeFileSync(
      join(app, 'right.ts'),
      `import { connect, type Engine } from 'sampan';
const engine: Engine = await connect();
const names: string[] = (await engine.images.list()).map(({ Id }) => Id);
console.log(names);
export {};
`,
    );
    const tsc = [join(checkout, 'node_modules/.bin/tsc'), '-p', 'tsconfig.json'];
    expect(await run(tsc, { env, cwd: app, timeoutMs: 120_000 })).toMatchObject({ code: 0, stdout: '' });
    // That they are types and not \`any\`.
    writeFileSync(
      join(app, 'right.ts'),
      "import { connect } from 'sampan';\nconst engine: number = connect();\nexport { engine };\n",
    );
    const wrong = await run(tsc, { env, cwd: app, timeoutMs: 120_000 });
    expect(wrong.stdout).toContain("is not assignable to type 'number'");
  },
  200_000,
);

const byName = (one: string, other: string) => (one < other ? -1 : 1);
