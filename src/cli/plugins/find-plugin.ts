import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfigText } from '../config-file.ts';
import type { CliContext } from '../context.ts';

/** Where Docker's packages put them, after the user's own folders. */
const SYSTEM_FOLDERS = [
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
];
const PREFIX = 'docker-';
const NAME = /^[a-z][a-z0-9]*$/;

export interface Plugin {
  name: string;
  path: string;
}

type Place = Pick<CliContext, 'globals'>;

/** A plugin of Docker's client by its name: the first that is found counts. */
export async function findPlugin(place: Place, name: string): Promise<Plugin | undefined> {
  if (!NAME.test(name)) return undefined;
  for (const folder of await folders(place)) {
    const path = join(folder, `${PREFIX}${name}`);
    if (await isProgram(path)) return { name, path };
  }
  return undefined;
}

/** All of them, by name. */
export async function listPlugins(place: Place): Promise<Plugin[]> {
  const found = new Map<string, Plugin>();
  for (const folder of await folders(place)) {
    const files = await readdir(folder).catch(() => []);
    for (const file of files) {
      const name = file.slice(PREFIX.length);
      if (!file.startsWith(PREFIX) || !NAME.test(name) || found.has(name)) continue;
      const path = join(folder, file);
      if (await isProgram(path)) found.set(name, { name, path });
    }
  }
  return [...found.values()].toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

async function folders(place: Place): Promise<string[]> {
  return [`${place.globals.configDirectory}/cli-plugins`, ...(await extraFolders(place)), ...SYSTEM_FOLDERS];
}

/** `cliPluginsExtraDirs` of config.json. */
async function extraFolders(place: Place): Promise<string[]> {
  try {
    const { cliPluginsExtraDirs: extra } = JSON.parse(await readConfigText(place)) as Record<string, unknown>;
    return Array.isArray(extra) ? extra.filter((folder) => typeof folder === 'string') : [];
  } catch {
    // Nothing there, or what every other command complains of.
    return [];
  }
}

async function isProgram(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
