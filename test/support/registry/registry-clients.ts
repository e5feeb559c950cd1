import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { must } from '../engine/command.ts';

const UNPACKED = resolve(import.meta.dir, '../../../.cache/stock-clients/usr');

export type RegistryClientName = 'skopeo' | 'crane' | 'oras';

/** Path of somebody else's registry client: the one that set-up unpacked, else the one on PATH. */
export function registryClient(name: RegistryClientName): string | undefined {
  const unpacked = join(UNPACKED, 'bin', name);
  return existsSync(unpacked) ? unpacked : (Bun.which(name) ?? undefined);
}

/** Run it; what it says on standard output. Rejects with its words when it fails. */
export async function runClient(
  name: RegistryClientName,
  args: readonly string[],
  home: string,
): Promise<string> {
  const path = registryClient(name);
  if (path === undefined) throw new Error(`${name} is not here`);
  const lib = join(UNPACKED, 'lib');
  const folders = existsSync(lib) ? readdirSync(lib).filter((folder) => folder.endsWith('-linux-gnu')) : [];
  const env = {
    HOME: home,
    DOCKER_CONFIG: home,
    PATH: process.env['PATH'] ?? '',
    ...(folders.length === 0
      ? {}
      : { LD_LIBRARY_PATH: folders.map((folder) => join(lib, folder)).join(':') }),
  };
  return await must([path, ...args], { env, cwd: home });
}
