import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { contentSize } from '../storage/disk-usage.ts';
import { ROOT_LAYOUT } from './root-layout.ts';

/** Bytes in what a container has written to `upper`; what the engine adds to every root is none of its. */
export async function writtenSize(upper: string): Promise<number> {
  const own = await Promise.all(ROOT_LAYOUT.map(([path, want]) => linkSize(join(upper, path), want)));
  return own.reduce((rest, size) => rest - size, await contentSize(upper));
}

/** Only links have a size as they are made. */
async function linkSize(path: string, want: { kind: string }): Promise<number> {
  if (want.kind !== 'link') return 0;
  const found = await lstat(path).catch(() => undefined);
  return found?.isSymbolicLink() === true ? found.size : 0;
}
