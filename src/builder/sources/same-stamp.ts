import type { ContentStamp } from './file-node.ts';

/** Nothing says that the content changed from the one to the other. */
export function isSameStamp(a: ContentStamp, b: ContentStamp): boolean {
  const isFile = a.inode === b.inode && a.device === b.device;
  return isFile && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
