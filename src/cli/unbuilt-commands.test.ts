import { expect, test } from 'bun:test';
import { CATALOG } from './catalog.ts';
import { findCommand } from './dispatch.ts';
import { findUnbuilt } from './unbuilt-commands.ts';

const isBuilt = (path: string) => CATALOG.some(({ paths }) => paths.includes(path));

test('a command that has a file is never called unbuilt', () => {
  for (const path of CATALOG.flatMap(({ paths }) => paths))
    expect(findCommand(path.split(' ')), path).toMatchObject({ kind: 'command', path });
});

test("Docker's other commands are told apart from typos, with a way out", () => {
  for (const path of ['volume update x', 'compose up', 'swarm init']) {
    const words = path.split(' ');
    if (isBuilt(path) || isBuilt(words[0] ?? '')) continue;
    const target = findCommand(words);
    expect(target, path).toMatchObject({
      kind: 'unbuilt',
      instead: expect.stringMatching(/\w.*\.$|sampan|nsenter/),
    });
  }
  expect(findUnbuilt(['run'])).toBeUndefined();
});

test('a typo stays unknown, with a suggestion', () => {
  expect(findCommand(['exce'])).toMatchObject({ kind: 'unknown', suggestions: ['exec'] });
  expect(findCommand(['contaner', 'ls'])).toMatchObject({ kind: 'unknown', suggestions: ['container'] });
  expect(findCommand(['network', 'creat'])).toMatchObject({ kind: 'unknown', noun: 'network' });
});
