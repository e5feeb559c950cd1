import { lstat, readdir } from 'node:fs/promises';
import { errnoCodeOf } from '../errors/engine-error.ts';

/** Bytes on disk below `directory`, itself included; a file with several links counts once, what vanishes meanwhile not at all. */
export async function diskUsage(directory: string): Promise<number> {
  const seen = new Set<bigint>();
  let total = 0;
  const todo: (string | Buffer)[] = [directory];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const stat = await present(lstat(path, { bigint: true }));
    if (stat === undefined) continue;
    if (stat.nlink > 1n && !stat.isDirectory()) {
      if (seen.has(stat.ino)) continue;
      seen.add(stat.ino);
    }
    total += Number(stat.blocks) * 512;
    if (stat.isDirectory()) todo.push(...(await children(path)));
  }
  return total;
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
