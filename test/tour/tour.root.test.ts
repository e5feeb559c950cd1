import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { patience } from '../../src/sys/testing/patience.ts';
import { eventually, type RunningCommand, run, start } from '../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../support/engine/test-daemon.ts';
import { Comparison } from './comparison.ts';
import { keysOf, stepsOf, type TerminalScene } from './page.ts';
import { screenOf } from './screen.ts';

const root = resolve(import.meta.dir, '../..');

describe.each(['docs/tour.md', 'docs/tour.zh-CN.md'])('%s', (page) => {
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
  }, 60_000 * patience);
  afterAll(async () => {
    own?.kill();
    await own?.exited;
    await engine.close();
    await registry?.close();
  }, 60_000 * patience);

  /** On a terminal of 200 columns, where `docker` is our client. */
  function typing(command: string): { command: string[]; env: Record<string, string> } {
    const typed = `stty cols 200 rows 50; cd '${folder}'; ${command}`;
    const env = { ...engine.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };
    return { command: ['script', '-qefc', `bash -c ${quoted(typed)}`, '/dev/null'], env };
  }

  async function onTerminal(text: string): Promise<string[]> {
    const { command, env } = typing(text);
    return linesOf((await run(command, { env })).stdout);
  }

  /** How often somebody has attached. */
  async function attached(): Promise<number> {
    const filters = encodeURIComponent('{"event":["attach"]}');
    const { body } = await engine.api('GET', `/events?since=0&until=${Date.now() / 1000}&filters=${filters}`);
    return body.split('\n').filter(Boolean).length;
  }

  /** What is wrong, or undefined. Each act waits until the screens have come to rest. */
  async function onTerminals(scene: TerminalScene, comparison: Comparison): Promise<string | undefined> {
    const terminals = new Map<number, RunningCommand>();
    const screens = () => [...terminals.values()].map(({ seen }) => linesOf(seen.stdout));
    try {
      for (const { terminal, kind, text } of scene.acts) {
        const [before, attachedBefore] = [JSON.stringify(screens()), await attached()];
        if (kind === 'start') {
          const { command, env } = typing(text);
          terminals.set(terminal, start(command, { env }));
          // Typed sooner, keys would be the line's own.
          await eventually(async () => (await attached()) > attachedBefore, {
            what: () => `${text} to attach`,
          });
        } else {
          await terminals.get(terminal)?.child.stdin.write(keysOf(text));
          await eventually(() => JSON.stringify(screens()) !== before, { what: () => `${text} to be seen` });
          await settled(screens);
        }
      }
      await Promise.all([...terminals.values()].map((one) => one.end()));
      const wrong = screens().map((screen) => comparison.difference(scene.screen, screen));
      return wrong.find((text) => text !== undefined);
    } finally {
      for (const { child } of terminals.values()) child.kill();
    }
  }

  test(
    'each command, typed from top to bottom, prints what the page says',
    async () => {
      const comparison = new Comparison();
      const differences: string[] = [];
      for (const step of stepsOf(readFileSync(join(root, page), 'utf8'))) {
        const difference =
          'acts' in step
            ? await onTerminals(step, comparison)
            : comparison.difference(step.printed, await onTerminal(step.command));
        const what = 'acts' in step ? 'terminals' : step.command;
        if (difference !== undefined) differences.push(`line ${step.line}: ${what}\n${difference}`);
      }
      expect(differences).toEqual([]);
    },
    300_000 * patience,
  );
});

/** Until two looks see the same. */
async function settled(screens: () => string[][]): Promise<void> {
  for (let before = ''; before !== JSON.stringify(screens()); ) {
    before = JSON.stringify(screens());
    await Bun.sleep(200);
  }
}

function linesOf(printed: string): string[] {
  const lines = screenOf(printed);
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
