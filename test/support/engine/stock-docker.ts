import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const OLD = resolve(import.meta.dir, '../../../.cache/stock-clients-20.10/usr/bin/docker');
const UNPACKED = resolve(import.meta.dir, '../../../.cache/docker-cli/usr/bin/docker');

/** Path of the stock docker client: the one on PATH, else the one that set-up unpacked. */
export function stockDocker(): string {
  const found = Bun.which('docker') ?? (existsSync(UNPACKED) ? UNPACKED : undefined);
  if (found === undefined)
    throw new Error('Cannot find the stock docker client. Run `npm run setup -- --tests`.');
  return found;
}

/** Path of the 20.10 client, whose BuildKit client is built in: the one that set-up unpacked; undefined where it couldn't be had. */
export function oldDocker(): string | undefined {
  return existsSync(OLD) ? OLD : undefined;
}
