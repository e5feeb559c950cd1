import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const checkout = join(import.meta.dir, '../..');
const read = (name: string) => readFileSync(join(checkout, name), 'utf8');

test('README.md and README.zh-CN.md have the same sections, commands and figures', () => {
  const shape = (text: string) => ({
    headings: text.split('\n').flatMap((line) => /^#+ /.exec(line) ?? []),
    commands: [...text.matchAll(/```(?:sh|console|json)\n([^]*?)```/g)].map(([, block = '']) =>
      block.replace(/\s+#.*$/gm, ''),
    ),
    links: [...text.matchAll(/\]\(([^)]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !target.startsWith('README')),
    figures: text.match(/\d[\d.,]* (?:ms|s|MB)\b/g),
  });
  expect(shape(read('README.zh-CN.md'))).toEqual(shape(read('README.md')));
});

test.each([
  'README.md',
  'README.zh-CN.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'docs/service.md',
  'docs/differences.md',
])('what %s links to is there', (page) => {
  const targets = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(
    ([, target = '']) => target,
  );
  expect(targets.filter((target) => !existsSync(join(checkout, page, '..', target)))).toEqual([]);
});
