import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

const UNPACKED = resolve(import.meta.dir, '../../../.cache/stock-clients/usr/libexec/docker/cli-plugins');

export type DockerPlugin = 'buildx' | 'compose';

/** Path of a plugin of the stock client: the one that set-up unpacked; undefined where it couldn't be had. */
export function dockerPlugin(name: DockerPlugin): string | undefined {
  const path = join(UNPACKED, `docker-${name}`);
  return existsSync(path) ? path : undefined;
}

/** Make a plugin known to clients whose configuration lies in `config`. */
export function installPlugin(name: DockerPlugin, config: string): void {
  const path = dockerPlugin(name);
  if (path === undefined) throw new Error(`docker-${name} is not here (npm run setup -- --tests)`);
  const folder = join(config, 'cli-plugins');
  mkdirSync(folder, { recursive: true });
  symlinkSync(path, join(folder, `docker-${name}`));
}
