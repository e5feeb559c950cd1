import { expect, test } from 'bun:test';
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diskUsage } from './disk-usage.ts';

test('diskUsage() counts links once, names of any bytes, and nothing that is not there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-usage-'));
  try {
    const empty = await diskUsage(directory);
    mkdirSync(join(directory, 'sub'));
    writeFileSync(join(directory, 'sub/a'), Buffer.alloc(100_000));
    linkSync(join(directory, 'sub/a'), join(directory, 'b'));
    const odd = Buffer.concat([Buffer.from(`${directory}/`), Buffer.of(0xff, 0xfe)]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from('/c')]), Buffer.alloc(50_000));
    const used = (await diskUsage(directory)) - empty;
    expect(used).toBeGreaterThanOrEqual(150_000);
    expect(used).toBeLessThan(200_000);
    expect(await diskUsage(join(directory, 'absent'))).toBe(0);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
