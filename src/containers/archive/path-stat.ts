import type { FileType } from '../../archive/tree.ts';

/** What stands at a path in a container, a symlink not followed. Plain data. */
export interface PathStat {
  name: string;
  sizeBytes: number;
  type: FileType;
  /** Permission bits, 12. */
  mode: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  /** Where a symlink leads in the end, from the container's root; '' for anything else. */
  linkTarget: string;
}
