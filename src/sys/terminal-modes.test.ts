import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { run } from './spawn.ts';
import { setTerminalEcho } from './terminal-modes.ts';

const hasScript = Bun.which('script') !== null;

test.skipIf(!hasScript)(
  "setTerminalEcho() turns the echo alone off and on, keepOutputAsItIs() the output's processing off",
  async () => {
    const program = [
      `import { keepOutputAsItIs, setTerminalEcho } from ${JSON.stringify(join(import.meta.dir, 'terminal-modes.ts'))};`,
      "const show = () => console.log(Bun.spawnSync(['stty', '-a'], { stdin: 'inherit' }).stdout.toString());",
      'show(); setTerminalEcho(0, false); show(); setTerminalEcho(0, true); show(); keepOutputAsItIs(0); show();',
    ].join('\n');
    const { stdout } = await run(['script', '-qec', '"$BUN" -e "$PROGRAM"', '/dev/null'], {
      env: { PATH: process.env.PATH ?? '', BUN: process.execPath, PROGRAM: program },
    });
    const [before = [], off = [], on = [], asItIs = []] = stdout
      .split(/(?=^speed )/m)
      .map((text) => text.split(/\s+/).filter((word) => /^-?[a-z]+$/.test(word)));
    expect(before).toContain('echo');
    expect(off).toEqual(before.map((word) => (word === 'echo' ? '-echo' : word)));
    expect(on).toEqual(before);
    expect(asItIs).toEqual(before.map((word) => (word === 'opost' ? '-opost' : word)));
  },
);

test('setTerminalEcho() refuses what is no terminal', () => {
  expect(() => setTerminalEcho(0x7fff, false)).toThrow('Cannot read the terminal');
});
