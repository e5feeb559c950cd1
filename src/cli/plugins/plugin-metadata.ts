import { run } from '../../sys/spawn.ts';
import type { CliContext } from '../context.ts';
import { listPlugins, type Plugin } from './find-plugin.ts';

const PATIENCE_MS = 2000;

/** What a plugin tells of itself. `error`: why it can't be used. */
export interface PluginMetadata extends Plugin {
  schema: string;
  vendor: string;
  version: string;
  short: string;
  error: string;
}

/** Ask a plugin what it is, by Docker's protocol. Never rejects. */
export async function pluginMetadata(plugin: Plugin): Promise<PluginMetadata> {
  const nothing = { ...plugin, schema: '', vendor: '', version: '', short: '' };
  try {
    const { exitCode, stdout } = await run([plugin.path, 'docker-cli-plugin-metadata'], {
      timeoutMs: PATIENCE_MS,
    });
    if (exitCode !== 0) return { ...nothing, error: 'failed to fetch metadata' };
    const { SchemaVersion, Vendor, Version, ShortDescription } = JSON.parse(stdout) as Record<
      string,
      unknown
    >;
    if (typeof SchemaVersion !== 'string' || !/^[01]\.\d/.test(SchemaVersion))
      return { ...nothing, error: `plugin SchemaVersion ${JSON.stringify(SchemaVersion)} is not valid` };
    return {
      ...plugin,
      schema: SchemaVersion,
      vendor: word(Vendor),
      version: word(Version),
      short: word(ShortDescription),
      error: '',
    };
  } catch (error) {
    return { ...nothing, error: error instanceof Error ? error.message : String(error) };
  }
}

/** All that can be used, in the order of their names. */
export async function usablePlugins(place: Pick<CliContext, 'globals'>): Promise<PluginMetadata[]> {
  const all = await Promise.all((await listPlugins(place)).map(pluginMetadata));
  return all.filter(({ error }) => error === '');
}

function word(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll(/[\p{Cc}]/gu, ' ') : '';
}
