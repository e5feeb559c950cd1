import { EngineError } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { RunningRegistry } from '../../registry/server/serve-registry.ts';
import type { Engine } from '../engine.ts';
import { serveControl } from './registry-control.ts';
import { type RegistryOptions, startRegistry } from './start-registry.ts';

/** The engine's own registry, on loopback: a mirror that is there without internet. Read-only over TCP but for users of a password file: who may write to a mirror decides what others run. */
export async function serveEmbeddedRegistry(
  options: RegistryOptions,
  engine: Engine,
  logger: Logger,
): Promise<RunningRegistry> {
  const { root } = engine.embeddedRegistry;
  const keeper = engine.embeddedRegistry;
  const client = engine.registry.config();
  try {
    const running = await startRegistry(options, { root, keeper, client, logger });
    const control = await serveControl({ root, keeper, logger });
    return { ...running, close: () => control.close().then(() => running.close()) };
  } catch (error) {
    if (!(error instanceof EngineError) || error.kind !== 'conflict') throw error;
    throw new EngineError('conflict', error.message, {
      hint: 'Give another address with --embedded-registry, and as a mirror with --registry-mirror.',
    });
  }
}
