import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { errnoCodeOf } from '../errors/engine-error.ts';

export interface DiskUsageOptions {
  /** Files with several links that were counted already, here or elsewhere; those found are added. */
  seen?: Set<string>;
  /** Subtrees that are counted elsewhere. */
  skips?: (path: string) => boolean;
}

/** Bytes on disk below `directory`, itself included, as `du -x` counts: a file with several links once, what is mounted below or vanishes meanwhile not at all. */
export async function diskUsage(directory: string, options: DiskUsageOptions = {}): Promise<number> {
  return await sum(directory, options, ({ blocks }) => Number(blocks) * 512);
}

/** Bytes in files and links below `directory`, holes included, as Docker tells what a container has written; else as `diskUsage`. */
export async function contentSize(directory: string, options: DiskUsageOptions = {}): Promise<number> {
  return await sum(directory, options, (stat) => (stat.isDirectory() ? 0 : Number(stat.size)));
}

async function sum(
  directory: string,
  { seen = new Set(), skips }: DiskUsageOptions,
  measure: (stat: BigIntStats) => number,
): Promise<number> {
  const own = await present(lstat(directory, { bigint: true }));
  let total = 0;
  const todo: (string | Buffer)[] = [directory];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const stat = await present(lstat(path, { bigint: true }));
    if (stat === undefined || stat.dev !== own?.dev || isCounted(stat, seen)) continue;
    total += measure(stat);
    if (!stat.isDirectory()) continue;
    const names = await children(path);
    todo.push(...names.filter((name) => skips?.(name.toString()) !== true));
  }
  return total;
}

function isCounted(stat: BigIntStats, seen: Set<string>): boolean {
  if (stat.nlink <= 1n || stat.isDirectory()) return false;
  const file = `${stat.dev}:${stat.ino}`;
  if (seen.has(file)) return true;
  seen.add(file);
  return false;
}

async function children(directory: string | Buffer): Promise<Buffer[]> {
  const names = (await present(readdir(directory, { encoding: 'buffer' }))) ?? [];
  return names.map((name) => Buffer.concat([Buffer.from(directory), slash, name]));
}

const slash = Buffer.from('/');

async function present<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
