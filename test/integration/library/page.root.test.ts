import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { must, run } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

// The page's programs, type-checked and run by those who install what `npm pack` makes: in Bun as they stand, in Node as TypeScript compiles them.
const checkout = resolve(import.meta.dir, '../../..');
const page = readFileSync(join(checkout, 'docs/library.md'), 'utf8');
const examples = [...page.matchAll(/```ts\n([^]*?)```\n```text\n([^]*?)```/g)].map(
  ([, program = '', printed = '']) => ({ program, printed }),
);

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let project: string;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  project = join(engine.root, 'project');
  await installPacked();
  examples.forEach(({ program }, index) => writeFileSync(join(project, `example-${index}.ts`), program));
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

/** No dependency comes along: the library has none. */
async function installPacked(): Promise<void> {
  const installed = join(project, 'node_modules/sampan');
  mkdirSync(installed, { recursive: true });
  await must(['node', join(checkout, 'scripts/build-library.mjs')]);
  const env = { HOME: engine.root };
  const packed = await must(['npm', 'pack', '--pack-destination', project], { cwd: checkout, env });
  const archive = join(project, packed.trim().split('\n').at(-1) ?? '');
  await must(['tar', '-xzf', archive, '-C', installed, '--strip-components=1']);
  rmSync(archive);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom', 'dom.asynciterable', 'esnext.disposable'],
    types: ['node'],
    typeRoots: [join(checkout, 'node_modules/@types')],
    strict: true,
    outDir: 'out',
    rootDir: '.',
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
}

test('what is packed has the library, and no test', async () => {
  const files = (await must(['find', join(project, 'node_modules/sampan'), '-type', 'f'])).split('\n');
  expect(files.filter((file) => file.endsWith('/library/index.d.ts')).length).toBe(1);
  expect(files.filter((file) => /\.test\.ts|\/testing\//.test(file))).toEqual([]);
});

test("the page's programs compile against the packed types, which are checked too", async () => {
  const tsc = join(checkout, 'node_modules/.bin/tsc');
  const { stdout, code } = await run([tsc, '-p', project]);
  expect(stdout).toBe('');
  expect(code).toBe(0);
});

describe.each(examples.map((example, index) => [index, example] as const))(
  'program %d of the page',
  (index, example) => {
    test.each([
      ['node', ['node', `out/example-${index}.js`]],
      ['bun', [process.execPath, `example-${index}.ts`]],
    ] as const)('prints in %s what it says', async (_name, command) => {
      const { stdout, stderr, code } = await run(command, { env: engine.env, cwd: project });
      expect({ stdout: lessSpace(stdout), stderr, code }).toEqual({
        stdout: lessSpace(example.printed),
        stderr: '',
        code: 0,
      });
      expect(await engine.out(['ps', '-aq'])).toBe('');
      expect(await engine.out(['volume', 'ls', '-q'])).toBe('');
    });
  },
);

test('the page has programs', () => {
  expect(examples.length).toBeGreaterThanOrEqual(5);
});

/** Node and Bun print objects by different rules of space, quotes and last commas. */
function lessSpace(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('"', "'").replaceAll(', }', ' }').trim();
}
