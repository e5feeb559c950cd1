import { readIgnoreFile } from '../archive/ignore-file.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildRequest } from './build-request.ts';
import type { ContextSource } from './build-session.ts';
import { loadDockerfile, loadIgnoreFile } from './load-dockerfile.ts';
import { watched } from './solver/build-progress-teller.ts';

/** A build's Dockerfile, and the patterns of its `.dockerignore`. */
export interface BuildDefinition {
  name: string;
  text: Uint8Array;
  ignore: string[];
}

export interface LoadDefinitionOptions {
  /** The build's own context. */
  context: () => ContextSource;
  watch: BuildWatcher;
  signal: AbortSignal;
}

/** @throws EngineError in BuildKit's words for a Dockerfile that isn't there. */
export async function loadDefinition(
  request: BuildRequest,
  options: LoadDefinitionOptions,
): Promise<BuildDefinition> {
  const { dockerfile, session } = request;
  const { signal, watch } = options;
  const title = dockerfile.from === 'text' ? 'Dockerfile' : dockerfile.path;
  const loaded = await watched(watch, `[internal] load build definition from ${title}`, async (teller) => {
    if (dockerfile.from === 'text') return { text: dockerfile.text, ignore: undefined };
    const source = dockerfile.from === 'session' ? session.context('dockerfile') : options.context();
    const received = (bytes: number): void => teller.transfer('transferring dockerfile:', bytes);
    return await loadDockerfile(source, dockerfile.path, { signal, received });
  });
  const definition = { name: title, text: loaded.text };
  if (loaded.ignore !== undefined) return { ...definition, ignore: readIgnoreFile(loaded.ignore) };
  if (request.context.type === 'none' || request.isContextFiltered === true)
    return { ...definition, ignore: [] };
  const ignore = await watched(watch, '[internal] load .dockerignore', async (teller) => {
    const received = (bytes: number): void => teller.transfer('transferring context:', bytes);
    return await loadIgnoreFile(options.context(), { signal, received });
  });
  return { ...definition, ignore: ignore === undefined ? [] : readIgnoreFile(ignore) };
}
