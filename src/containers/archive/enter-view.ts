import { chownSync, closeSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { makeDirectories } from '../../snapshots/make-directories.ts';
import { mountView } from '../../snapshots/reading/mount-view.ts';
import { layOutRoot } from '../../snapshots/root-layout.ts';
import type { SnapshotView } from '../../snapshots/snapshotter.ts';
import { attachMount, cloneMount, restrictMount, visitMountNamespace } from '../../sys/detached-mount.ts';
import { enterRoot } from '../../sys/enter-root.ts';
import { type Ids, rootOf } from '../../sys/id-map.ts';
import { SyscallError } from '../../sys/libc.ts';
import { openSubpath } from '../mounts/open-subpath.ts';
import type { ArchiveView } from './archive-request.ts';

/** TMPFS_MAGIC (linux/magic.h). */
const TMPFS = 0x01021994;

interface Copy {
  fd: number;
  destination: string;
  isDirectory: boolean;
}

/**
 * Make a container's tree this process's root: its root file system, and on it what is mounted there. Everything is picked up outside and put
 * into its place from inside, so that no link of the container's leads a mount, or anything after it, out.
 */
export function enterView(view: ArchiveView): void {
  const copies = [...view.mounts.flatMap(copyOf), ...copiesOfMemory(view)];
  enterRoot(typeof view.root === 'string' ? view.root : asAtStart(view.root));
  copies.sort((a, b) => depthOf(a.destination) - depthOf(b.destination));
  for (const copy of copies) {
    makePlace(copy, view.ids?.root === true ? rootOf(view.ids.map) : undefined);
    attachMount(copy.fd, copy.destination);
    closeSync(copy.fd);
  }
}

/** Of a container that may have had no start yet. */
function asAtStart(view: SnapshotView): string {
  const root = mountView(view, { scratch: true });
  layOutRoot(root);
  return root;
}

/** What is gone from the host, or never was, is not in the container either. */
function copyOf({ source, subpath, destination, readonly }: ArchiveView['mounts'][number]): Copy[] {
  if (statSync(source, { throwIfNoEntry: false }) === undefined) return [];
  // By its descriptor: who writes in the volume may have put a link there by now.
  const part = subpath === undefined ? undefined : openSubpath(source, subpath);
  const place = part === undefined ? source : `/proc/self/fd/${part}`;
  try {
    const isDirectory = statSync(place).isDirectory();
    const fd = cloneMount(place, { recursive: true });
    restrictMount(fd, { readonly });
    return [{ fd, destination, isDirectory }];
  } finally {
    if (part !== undefined) closeSync(part);
  }
}

function copiesOfMemory({ memory }: ArchiveView): Copy[] {
  if (memory === undefined) return [];
  const copies = visitMountNamespace(memory.process, () => memory.places.flatMap(memoryAt)) ?? [];
  return copies.filter(({ fd }) => {
    // The container may have put something else there.
    const isMemory = statfsSync(`/proc/self/fd/${fd}`).type === TMPFS;
    if (isMemory) restrictMount(fd, { readonly: false });
    else closeSync(fd);
    return isMemory;
  });
}

/** Called in the container's mount namespace. */
function memoryAt(destination: string): Copy[] {
  try {
    return [{ fd: cloneMount(destination), destination, isDirectory: true }];
  } catch (error) {
    if (error instanceof SyscallError) return [];
    throw error;
  }
}

function depthOf(path: string): number {
  return path.split('/').length;
}

/** As at a start, for a container that has had none. */
function makePlace({ destination, isDirectory }: Copy, owner: Ids | undefined): void {
  if (statSync(destination, { throwIfNoEntry: false }) !== undefined) return;
  makeDirectories(isDirectory ? destination : posix.dirname(destination), owner);
  if (isDirectory) return;
  writeFileSync(destination, '', { mode: 0o755 });
  if (owner !== undefined) chownSync(destination, owner.uid, owner.gid);
}
