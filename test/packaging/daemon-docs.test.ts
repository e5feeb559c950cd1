import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Setting, settings } from '../../src/daemon/setting-table.ts';

const page = join(import.meta.dir, '../../docs/daemon.md');
const START = '<!-- keys: made from src/daemon/setting-table.ts -->\n';
const END = '<!-- end of keys -->\n';

/** `SAMPAN_UPDATE_DOCS=1` writes the table anew. */
test("docs/daemon.md names every key of the daemon's configuration, and what becomes of it", () => {
  const text = readFileSync(page, 'utf8');
  const [before = '', rest = ''] = text.split(START);
  const [, after = ''] = rest.split(END);
  const fresh = `${before}${START}${tables()}${END}${after}`;
  if (process.env['SAMPAN_UPDATE_DOCS'] === '1') writeFileSync(page, fresh);
  else expect(text).toBe(fresh);
});

function tables(): string {
  const sorted = settings.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const honoured = sorted.filter(({ use }) => use === 'honoured').map(honouredRow);
  const list = (use: Setting['use']) =>
    sorted
      .filter((setting) => setting.use === use)
      .map(({ key }) => `\`${key}\``)
      .join(', ');
  return `
### Honoured

| key | type | flag | default | from Docker's file |
|---|---|---|---|---|
${honoured.join('\n')}

### Warned of

${list('warned')}

### Refused

${list('refused')}

`;
}

function honouredRow({ key, type, flag, shared }: Setting): string {
  const name =
    flag === undefined ? '' : `${flag.short === undefined ? '' : `\`-${flag.short}\`, `}\`--${flag.name}\``;
  const fallback = flag?.default === undefined ? '' : `\`${flag.default}\``;
  return `| \`${key}\` | ${type} | ${name} | ${fallback} | ${shared === false ? 'no' : 'yes'} |`;
}

test('the two READMEs have the same headings in number, the same commands and the same figures', () => {
  const read = (name: string) => readFileSync(join(import.meta.dir, '../..', name), 'utf8');
  const shape = (text: string) => ({
    headings: text.split('\n').flatMap((line) => /^#+ /.exec(line) ?? []),
    commands: [...text.matchAll(/```(?:sh|console|json)\n([^]*?)```/g)].map(([, block = '']) =>
      block.replace(/\s*#.*$/gm, ''),
    ),
    figures: (/<!-- figures[^]*end of figures -->/.exec(text)?.[0] ?? '').match(/\d[\d.,]*|–/g),
  });
  expect(shape(read('README.zh-CN.md'))).toEqual(shape(read('README.md')));
});
