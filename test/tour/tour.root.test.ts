import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { eventually, run } from '../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../support/engine/test-daemon.ts';
import { Comparison } from './comparison.ts';
import { commandsOf } from './page.ts';
import { screenOf } from './screen.ts';

const root = resolve(import.meta.dir, '../..');
const commands = commandsOf(readFileSync(join(root, 'docs/tour.md'), 'utf8'));

let registry: SeedRegistry | undefined;
/** The page's own, which it has the reader start in another terminal. */
let own: Bun.Subprocess | undefined;
let engine: TestDaemon;
let folder: string;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  folder = join(engine.root, 'tour');
  mkdirSync(folder);
  own = Bun.spawn(
    [join(root, 'bin/sampan'), 'registry', 'serve', '--writable', '--root', join(engine.root, 'registry')],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  await eventually(async () =>
    fetch('http://127.0.0.1:5000/v2/').then(
      ({ ok }) => ok,
      () => false,
    ),
  );
});
afterAll(async () => {
  own?.kill();
  await own?.exited;
  await engine.close();
  await registry?.close();
});

/** On a terminal of 200 columns, where `docker` is our client. */
async function onTerminal(command: string): Promise<string[]> {
  const typed = `stty cols 200 rows 50; cd '${folder}'; ${command}`;
  const { stdout } = await run(['script', '-qefc', `bash -c ${quoted(typed)}`, '/dev/null'], {
    env: { ...engine.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` },
  });
  const lines = screenOf(stdout);
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

test('docs/tour.md: each command, typed from top to bottom, prints what the page says', async () => {
  const comparison = new Comparison();
  const differences: string[] = [];
  for (const { command, printed, line } of commands) {
    const difference = comparison.difference(printed, await onTerminal(command));
    if (difference !== undefined) differences.push(`line ${line}: ${command}\n${difference}`);
  }
  expect(differences).toEqual([]);
}, 300_000);
