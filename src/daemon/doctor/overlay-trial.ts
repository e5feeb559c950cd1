import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountOverlay, unmountIfMounted } from '../../sys/mount.ts';

/** Mount an overlay of folders in `root`, read and write it. Leaves nothing behind. @throws why it can't be done. */
export function tryOverlay(root: string): void {
  const directory = mkdtempSync(join(root, 'probe-'));
  const [lower, upper, work, target] = ['lower', 'upper', 'work', 'merged'].map((name) =>
    join(directory, name),
  ) as [string, string, string, string];
  try {
    for (const folder of [lower, upper, work, target]) mkdirSync(folder);
    writeFileSync(join(lower, 'file'), 'lower');
    mountOverlay({ lowers: [lower], writable: { upper, work }, target });
    writeFileSync(join(target, 'file'), 'written');
    if (readFileSync(join(upper, 'file'), 'utf8') !== 'written') throw new Error('a write did not copy up');
  } finally {
    unmountIfMounted(target, { detach: true });
    rmSync(directory, { recursive: true, force: true });
  }
}
