import { expect, test } from 'bun:test';
import { renderPlatformsPage } from './platforms-page.ts';

const step = (cells: Record<string, string>, problems: string[] = []) => ({ cells, problems, commit: 'c' });

const linesOf = (page: string) => page.split('\n').filter((line) => line.startsWith('|'));

test('renderPlatformsPage() has a column for each machine, and says what was not run', () => {
  const page = renderPlatformsPage(
    [
      { title: 'Debian 12', results: { survey: step({ Kernel: '6.1' }), tour: step({ Tour: '1 passed' }) } },
      { title: 'Debian 13', results: { survey: step({ Kernel: '6.12|x' }) } },
    ],
    [],
  );
  expect(linesOf(page).slice(0, 4)).toEqual([
    '|  | Debian 12 | Debian 13 |',
    '|---|---|---|',
    '| Kernel | 6.1 | 6.12\\|x |',
    '| Tour | 1 passed | not run |',
  ]);
});

test('renderPlatformsPage() shows times as ratios to the first column', () => {
  const page = renderPlatformsPage(
    [
      { title: 'Debian 12', results: { timings: step({ 'ms:pull': '2000', 'ms:run': '0' }) } },
      { title: 'Debian 13', results: { timings: step({ 'ms:pull': '500', 'ms:run': '3' }) } },
      { title: 'other', results: { survey: step({}) } },
    ],
    [],
  );
  expect(linesOf(page)).toContain('| `pull` | 1.00 | 0.25 | not run |');
  expect(linesOf(page)).toContain('| `run` | not run | not run | not run |');
  expect(page).toContain('ratios to Debian 12');
});

test('renderPlatformsPage() tells what did not work, by its first line', () => {
  const broken = { title: 'Debian 13', results: { tour: step({}, ['npm start ended with 1: no\nmore']) } };
  expect(renderPlatformsPage([broken], [])).toContain('- Debian 13: npm start ended with 1: no\n');
  expect(renderPlatformsPage([{ title: 'Debian 13', results: {} }], [])).toContain('Nothing.');
});

test('renderPlatformsPage() has a row for each power cut', () => {
  const cut = { commit: '0123456789', seconds: '7.5', seen: '4 images', problems: [] };
  const cuts = [cut, { ...cut, problems: ['each blob: ended with 1\nmore'] }];
  const page = renderPlatformsPage(
    [
      { title: 'Debian 13', results: { 'power-cuts': { ...step({}), cuts } } },
      { title: 'Debian 12', results: {} },
    ],
    [],
  );
  expect(page).toContain('## Power cuts of Debian 13');
  expect(page).not.toContain('## Power cuts of Debian 12');
  expect(linesOf(page).slice(-2)).toEqual([
    '| 1 | 0123456 | 7.5 | 4 images | nothing lost, nothing half there |',
    '| 2 | 0123456 | 7.5 | 4 images | each blob: ended with 1 |',
  ]);
});

test('renderPlatformsPage() tells of each step what came of it', () => {
  const results = { tour: step({}), small: step({}, ['a', 'b']), cuts: { ...step({}), unfinished: true } };
  const page = renderPlatformsPage([{ title: 'Debian 13', results }], ['tour', 'small', 'cuts', 'nap']);
  expect(linesOf(page).slice(-6, -2)).toEqual([
    '| tour | passed (c) |',
    '| small | 2 problems (c) |',
    '| cuts | not finished (c) |',
    '| nap | not run |',
  ]);
});
