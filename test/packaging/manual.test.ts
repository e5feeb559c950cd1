import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manual } from '../../scripts/package/manual.ts';
import runtimeModules from '../../scripts/package/runtime-modules.json';
import { CATALOG, NOUNS } from '../../src/cli/catalog.ts';

const checkout = join(import.meta.dir, '../..');
const man = Bun.which('man');
if (man === null) process.stderr.write('SKIP what man says of the pages: needs man (package man-db)\n');

let folder = '';
let pages = new Map<string, string>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sampan-manual-'));
  pages = await manual({ version: '1.2.3', date: '2026-01-31' });
  await Bun.$`mkdir ${folder}/man1 ${folder}/man8`;
  for (const [name, text] of pages) writeFileSync(join(folder, `man${name.at(-1)}`, name), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('every way to say a command has a page, and so have nouns, the program and the daemon', () => {
  const expected = [...CATALOG.flatMap(({ paths }) => paths), ...NOUNS.map(({ name }) => name)].map(
    (path) => `sampan-${path.replaceAll(' ', '-')}.1`,
  );
  expect([...pages.keys()].toSorted(byName)).toEqual([...expected, 'sampan.1', 'sampand.8'].toSorted(byName));
});

test.skipIf(man === null)(
  'man has nothing to say of any page',
  () => {
    for (const section of ['man1', 'man8']) {
      const files = readdirSync(join(folder, section)).map((name) => join(section, name));
      const { stderr, exitCode } = Bun.spawnSync(
        ['man', '--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', ...files],
        {
          cwd: folder,
          env: { ...process.env, MANROFFSEQ: '', MANWIDTH: '80', LC_ALL: 'C.UTF-8' },
          stdout: 'ignore',
        },
      );
      expect([stderr.toString(), exitCode]).toEqual(['', 0]);
    }
  },
  60_000,
);

function read(page: string): string {
  const { stdout } = Bun.spawnSync(['man', '-l', `man1/${page}`], {
    cwd: folder,
    env: { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: '' },
  });
  // Bold and underlined, as a terminal of paper has it.
  return stdout.toString().replaceAll(/.[\b]/g, '');
}

test.skipIf(man === null)('a page has what help has: synopsis, flags, defaults, aliases and examples', () => {
  const text = read('sampan-logs.1');
  expect(text).toContain('sampan-container-logs, sampan-logs - Show the logs of a container');
  expect(text).toContain('sampan container logs [OPTIONS] CONTAINER');
  expect(text).toMatch(/-n, --tail string\n +Only so many of the last lines \(default "all"\)/);
  expect(text).toContain('sampan logs --tail 20 --timestamps web');
  expect(text).toContain('sampan-container(1), sampan(1)');
});

test.skipIf(man === null)(
  'nothing is lost to roff: backslashes, quotes, dots and dashes',
  async () => {
    for (const { paths } of CATALOG.filter((_entry, index) => index % 5 === 0)) {
      const name = `sampan-${(paths[0] ?? '').replaceAll(' ', '-')}.1`;
      const { command } = await (
        CATALOG.find((entry) => entry.paths === paths) as (typeof CATALOG)[number]
      ).load();
      const bare = read(name).replaceAll(/\s+/g, '');
      for (const { usage, hidden } of command.flags)
        if (hidden !== true) expect(bare.replaceAll('‐', '')).toContain(usage.replaceAll(/[\s]+/g, ''));
    }
  },
  60_000,
);

test('the modules that a package takes along are those that the sources import', () => {
  const scanner = new Bun.Transpiler({ loader: 'ts' });
  const found = new Set<string>();
  for (const entry of readdirSync(join(checkout, 'src'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !path.endsWith('.ts') || /\.test\.ts$|\/testing\/|\.d\.ts$/.test(path)) continue;
    for (const { path: name } of scanner.scanImports(readFileSync(path, 'utf8')))
      if (!/^(?:\.|node:|bun:|bun$)/.test(name)) found.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
  }
  expect([...found].toSorted(byName)).toEqual(runtimeModules);
});

const byName = (one: string, other: string) => (one < other ? -1 : 1);
