import { expect, test } from 'bun:test';
import { renderPlatformsPage } from './platforms-page.ts';

const step = (cells: Record<string, string>, problems: string[] = []) => ({ cells, problems, commit: 'c' });

const linesOf = (page: string) => page.split('\n').filter((line) => line.startsWith('|'));

test('renderPlatformsPage() has a column for each machine that was run and no other', () => {
  const page = renderPlatformsPage([
    { title: 'Debian 12', results: { survey: step({ Kernel: '6.1' }), tour: step({ Tour: '1 passed' }) } },
    { title: 'Debian 13', results: { survey: step({ Kernel: '6.12|x' }) } },
  ]);
  expect(linesOf(page).slice(0, 4)).toEqual([
    '|  | Debian 12 | Debian 13 |',
    '|---|---|---|',
    '| Kernel | 6.1 | 6.12\\|x |',
    '| Tour | 1 passed | not run |',
  ]);
});

test('renderPlatformsPage() shows times as ratios to the first column', () => {
  const page = renderPlatformsPage([
    { title: 'Debian 12', results: { timings: step({ 'ms:pull': '2000', 'ms:run': '0' }) } },
    { title: 'Debian 13', results: { timings: step({ 'ms:pull': '500', 'ms:run': '3' }) } },
    { title: 'other', results: { survey: step({}) } },
  ]);
  expect(linesOf(page)).toContain('| `pull` | 1.00 | 0.25 | not run |');
  expect(linesOf(page)).toContain('| `run` | not run | not run | not run |');
  expect(page).toContain('ratios to Debian 12');
});

test('renderPlatformsPage() tells what did not work, by its first line', () => {
  const broken = { title: 'Debian 13', results: { tour: step({}, ['npm start ended with 1: no\nmore']) } };
  expect(renderPlatformsPage([broken])).toContain('- Debian 13: npm start ended with 1: no\n');
  expect(renderPlatformsPage([{ title: 'Debian 13', results: {} }])).toContain('Nothing.');
});
