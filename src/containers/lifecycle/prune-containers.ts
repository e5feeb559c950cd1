import { kindOf } from '../../errors/engine-error.ts';
import type { ContainerView } from '../container.ts';
import type { ContainerBackend } from '../container-backend.ts';
import type { ContainerDependencies } from '../dependencies.ts';

/** As `ContainerBackend.prune`. */
export async function pruneContainers(
  containers: Pick<ContainerBackend, 'list' | 'size' | 'remove'>,
  isWanted: (container: ContainerView) => boolean,
  { events, signal }: Pick<ContainerDependencies, 'events'> & { signal: AbortSignal },
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const filters = new Map([['status', ['created', 'exited', 'dead']]]);
  const stopped = await containers.list({ all: true, limit: undefined, size: false, filters });
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const { id } of stopped.filter(isWanted)) {
    if (signal.aborted) break;
    const size = await containers.size(id).catch(() => undefined);
    try {
      await containers.remove(id, { force: false, volumes: false });
    } catch (error) {
      if (kindOf(error) === 'conflict' || kindOf(error) === 'not-found') continue;
      throw error;
    }
    deleted.push(id);
    reclaimedBytes += size?.writableBytes ?? 0;
  }
  const attributes = { reclaimed: String(reclaimedBytes) };
  events.publish({ type: 'container', action: 'prune', actorId: '', attributes });
  return { deleted, reclaimedBytes };
}
