import { mkdirSync } from 'node:fs';
import { listMounts, mount, mountErofs, mountOverlay } from '../../sys/mount.ts';
import type { SnapshotView } from '../snapshotter.ts';

/**
 * Mount a snapshot as it is, in this process's own mount namespace. `scratch`: writes are taken, into memory, and are gone with the process: for
 * places to mount on that the snapshot hasn't got yet.
 *
 * @returns where it is mounted.
 */
export function mountView(view: SnapshotView, { scratch = false } = {}): string {
  const { layers, lowers, target } = view;
  const present = new Set(listMounts().map((one) => one.target));
  for (const layer of layers) if (!present.has(layer.target)) mountErofs(layer);
  if (!scratch) {
    mountOverlay({ lowers, target, readonly: true });
    return target;
  }
  // Below the mount that covers it, what was found as an empty directory is still one: `lowers` may name it.
  const root = `${target}/root`;
  const opened = lowers.includes(target) ? lowers.filter((lower) => lower !== target) : lowers;
  mount({ source: 'tmpfs', target, type: 'tmpfs', data: 'mode=700,size=16m' });
  for (const name of ['upper', 'work', 'empty', 'root']) mkdirSync(`${target}/${name}`, { mode: 0o755 });
  const writable = { upper: `${target}/upper`, work: `${target}/work` };
  mountOverlay({
    lowers: [...opened, ...(opened.length < lowers.length ? [`${target}/empty`] : [])],
    writable,
    target: root,
  });
  return root;
}
