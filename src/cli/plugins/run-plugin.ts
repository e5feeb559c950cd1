import { EngineError } from '../../errors/engine-error.ts';
import { execute } from '../../sys/execute.ts';
import { contextName, defaultHost, type HostChoice } from '../host.ts';
import { DEFAULT_CONTEXT } from '../start-config.ts';
import type { Plugin } from './find-plugin.ts';

/**
 * Become the plugin, with all that was typed, global flags included: it reads them as Docker's client does. What it can't know is told by
 * the environment: our own socket is not Docker's.
 *
 * @throws EngineError when it can't be started; otherwise it does not return.
 */
export async function runPlugin(plugin: Plugin, argv: readonly string[], choice: HostChoice): Promise<never> {
  const env = { ...choice.env, DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND: process.execPath };
  const isDefault = contextName(choice) === DEFAULT_CONTEXT;
  const host = isDefault && choice.hosts.length === 0 ? { DOCKER_HOST: defaultHost(choice) } : {};
  try {
    execute([plugin.path, ...argv], { ...env, ...host });
  } catch (cause) {
    throw new EngineError('invalid', `Cannot start the plugin ${plugin.name}: ${plugin.path}`, { cause });
  }
}
