import { readIgnoreFile } from '../archive/ignore-file.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildRequest } from './build-request.ts';
import type { ContextSource } from './build-session.ts';
import { loadDockerfile, loadIgnoreFile } from './load-dockerfile.ts';
import { sharedBytes } from './shared-bytes.ts';
import { watched } from './solver/build-progress-teller.ts';

/** A build's Dockerfile, and the patterns of its `.dockerignore`. */
export interface BuildDefinition {
  name: string;
  /** In shared memory: it goes to the planning threads, more than once. */
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
  // Side by side where that is a message each way, as most have no ignore file of the Dockerfile's own.
  const early = request.context.type === 'local' ? loadSharedIgnore(request, options) : undefined;
  early?.catch(() => undefined);
  const title = dockerfile.from === 'text' ? 'Dockerfile' : dockerfile.path;
  const loading = watched(watch, `[internal] load build definition from ${title}`, async (teller) => {
    if (dockerfile.from === 'text')
      return { text: sharedBytes([dockerfile.text], dockerfile.text.length), ignore: undefined };
    const source = dockerfile.from === 'session' ? session.context('dockerfile') : options.context();
    const received = (bytes: number): void => teller.transfer('transferring dockerfile:', bytes);
    return await loadDockerfile(source, dockerfile.path, { signal, received });
  });
  await Promise.allSettled([loading, early]);
  const loaded = await loading;
  const definition = { name: title, text: loaded.text };
  if (loaded.ignore !== undefined) return { ...definition, ignore: readIgnoreFile(loaded.ignore) };
  const ignore = await (early ?? loadSharedIgnore(request, options));
  return { ...definition, ignore: ignore === undefined ? [] : readIgnoreFile(ignore) };
}

/** The context's own, unless its client has applied it. */
async function loadSharedIgnore(
  { context, isContextFiltered }: BuildRequest,
  { context: source, watch, signal }: LoadDefinitionOptions,
): Promise<Uint8Array | undefined> {
  if (context.type === 'none' || isContextFiltered === true) return undefined;
  return await watched(watch, '[internal] load .dockerignore', async (teller) => {
    const received = (bytes: number): void => teller.transfer('transferring context:', bytes);
    return await loadIgnoreFile(source(), { signal, received });
  });
}
