import { closeSync, existsSync, openSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../errors/engine-error.ts';
import { cloneMount, mapMountIds } from '../../sys/detached-mount.ts';
import { spawnDetached } from '../../sys/spawn.ts';

const PATIENCE_MS = 2000;

/**
 * Give a copy of the mount that `path` lies on, which is attached nowhere, the owners of a user namespace.
 *
 * @returns why the kernel, or the file system, won't; undefined when it does.
 */
export async function tryIdmappedMount(path: string): Promise<string | undefined> {
  const holder = spawnDetached(['unshare', '--user', '--map-root-user', '--', 'sleep', '10'], {
    stdio: ['ignore', 'ignore', 'ignore'],
    cwd: '/',
  });
  const file = `/proc/${holder.pid}/ns/user`;
  try {
    await entered(file);
    applyOwners(nearestThere(path), file);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    kill(holder.pid);
    await holder.exited;
  }
}

/** @throws Error when the child's namespace stays ours: the kernel, or a sysctl, lets nobody make one. */
async function entered(file: string): Promise<void> {
  const own = readlinkSync('/proc/self/ns/user');
  const endMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endMs) {
    if (!existsSync(file)) break;
    if (readlinkSync(file) !== own) return sleep(20);
    await sleep(5);
  }
  throw new Error('no user namespace can be made');
}

function applyOwners(path: string, namespaceFile: string): void {
  const namespace = openSync(namespaceFile, 'r');
  const copy = cloneMount(path);
  try {
    mapMountIds(copy, namespace);
  } finally {
    closeSync(copy);
    closeSync(namespace);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** The folder itself, or the one that it would be made in. */
export function nearestThere(path: string): string {
  let place = path;
  while (!existsSync(place) && place !== '/') place = dirname(place);
  return place;
}
