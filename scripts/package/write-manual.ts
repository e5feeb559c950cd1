// `write-manual.ts FOLDER VERSION DATE`: the manual's pages into FOLDER/man1 and FOLDER/man8.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manual } from './manual.ts';

const [folder = '', version = '', date = ''] = process.argv.slice(2);
for (const section of ['man1', 'man8']) mkdirSync(join(folder, section), { recursive: true });
for (const [name, text] of await manual({ version, date }))
  writeFileSync(join(folder, `man${name.slice(name.lastIndexOf('.') + 1)}`, name), text);
