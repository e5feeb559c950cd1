import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import { resourceHost, updatedResources } from '../runtime/spec/resources.ts';
import { publishContainerEvent } from './container-events.ts';
import { type ContainerChange, changedRecord, checkChange } from './container-update.ts';
import type { ContainerDependencies } from './dependencies.ts';
import type { LiveContainer } from './live-container.ts';

/**
 * On disk first, then in the cgroup of what runs; what the cgroup does not take is taken back. Call it in the container's queue.
 *
 * @returns what was left out.
 * @throws EngineError as `checkChange`; `Cannot update container <id>: …` with the kind of what was in the way.
 */
export async function updateContainer(
  container: LiveContainer,
  asked: ContainerChange,
  deps: Pick<ContainerDependencies, 'store' | 'runtime' | 'events'>,
): Promise<string[]> {
  const host = resourceHost((await deps.runtime.info()).cgroupVersion);
  const { change, warnings } = checkChange(asked, host);
  const before = container.record.host;
  try {
    if (container.removing)
      throw new EngineError('conflict', 'container is marked for removal and cannot be "update"');
    container.record = changedRecord(container.record, change);
    await deps.store.update(container.record);
    const after = container.record.host.resources;
    const { resources } = updatedResources(change.resources, after, host);
    if (container.task !== undefined && Object.keys(resources).length > 0)
      await deps.runtime.update(container.task.handle, resources);
  } catch (error) {
    container.record = { ...container.record, host: before };
    await deps.store.update(container.record).catch(() => undefined);
    throw new EngineError(kindOf(error), `Cannot update container ${container.id}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  publishContainerEvent(deps.events, container.record, 'update');
  return warnings;
}
