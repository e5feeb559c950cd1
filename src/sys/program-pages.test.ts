import { expect, test } from 'bun:test';
import { readFileSync, readlinkSync } from 'node:fs';
import { dropProgramPages, unchangedMappings } from './program-pages.ts';

const smaps = `00200000-01a39000 r--p 00000000 fe:00 2171399                            /opt/a b/bun
Rss:                7572 kB
Anonymous:             0 kB
01a40000-0684a000 r-xp 01838000 fe:00 2171399                            /opt/a b/bun
Rss:               35224 kB
Anonymous:             0 kB
0684a000-0685f000 rw-p 06641000 fe:00 2171399                            /opt/a b/bun
Anonymous:             0 kB
0685f000-06867000 r--p 06656000 fe:00 2171399                            /opt/a b/bun
Anonymous:            12 kB
7fcd4c690000-7fcd4c6a0000 r--p 00000000 fe:00 999                        /usr/lib/libc.so.6
Anonymous:             0 kB
7fcd4c7a0000-7fcd4c7b0000 r--p 00000000 00:00 0
Anonymous:             0 kB
`;

test('unchangedMappings() leaves out what may be written, what differs from the file, and other files', () => {
  expect(unchangedMappings(smaps, '/opt/a b/bun')).toEqual([
    { start: 0x200000n, sizeBytes: 0x1839000n },
    { start: 0x1a40000n, sizeBytes: 0x4e0a000n },
  ]);
});

test('dropProgramPages() unmaps most of the program, which goes on', () => {
  const before = residentProgramKilobytes();
  dropProgramPages();
  expect(residentProgramKilobytes()).toBeLessThan(before / 2);
});

function residentProgramKilobytes(): number {
  const program = readlinkSync('/proc/self/exe');
  return readFileSync('/proc/self/smaps', 'utf8')
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .filter((mapping) => mapping.split('\n', 1)[0]?.endsWith(program))
    .reduce((sum, mapping) => sum + Number(/^Rss: +(\d+) kB$/m.exec(mapping)?.[1]), 0);
}
