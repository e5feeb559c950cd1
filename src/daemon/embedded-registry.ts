import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalContentStore } from '../content/local-content-store.ts';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { createRegistryHandler } from '../registry/server/registry-handler.ts';
import { type RunningRegistry, serveRegistry } from '../registry/server/serve-registry.ts';
import { StoreBlobBackend } from '../registry/server/store-blob-backend.ts';

/** The engine's own registry, on loopback: a mirror that is there without internet, filled by set-up through its store. Read-only over TCP: who may write to a mirror decides what others run. */
export async function startEmbeddedRegistry(
  dataRoot: string,
  address: { host: string; port: number },
  logger: Logger,
): Promise<RunningRegistry> {
  const root = join(dataRoot, 'registry');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const store = await LocalContentStore.open(join(root, 'content'));
  const handler = createRegistryHandler(new StoreBlobBackend(store, join(root, 'repositories')), {
    logger,
    readOnly: true,
  });
  try {
    return serveRegistry(handler, { hostname: address.host, port: address.port });
  } catch (error) {
    throw new EngineError(
      'conflict',
      `Cannot serve the embedded registry on ${address.host}:${address.port}: ${messageOf(error)}`,
      {
        hint: 'Give another address with --embedded-registry, and as a mirror with --registry-mirror.',
      },
    );
  }
}
