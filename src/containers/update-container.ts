import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import { resourceHost, updatedResources } from '../runtime/spec/resources.ts';
import { publishContainerEvent } from './container-events.ts';
import { type ContainerChange, changedRecord, checkChange } from './container-update.ts';
import type { ContainerDependencies } from './dependencies.ts';
import type { LiveContainer } from './live-container.ts';
import { recallPorts, republishPorts } from './ports/change-ports.ts';

/**
 * Ports first (others may have them), then the disk, then the cgroup of what runs; what fails takes back the rest. A daemon that dies
 * amid it leaves what the disk says, to which the next one brings the ports. Call it in the container's queue.
 *
 * @returns what was left out.
 * @throws EngineError as `checkChange`; `Cannot update container <id>: …` with the kind of what was in the way.
 */
export async function updateContainer(
  container: LiveContainer,
  asked: ContainerChange,
  deps: Pick<ContainerDependencies, 'store' | 'runtime' | 'events' | 'networks' | 'notes' | 'logger'>,
): Promise<string[]> {
  const host = resourceHost((await deps.runtime.info()).cgroupVersion);
  const { change, warnings } = checkChange(asked, host);
  const before = container.record;
  const { task } = container;
  let republished = false;
  try {
    if (container.removing)
      throw new EngineError('conflict', 'container is marked for removal and cannot be "update"');
    const changed = changedRecord(before, change);
    if (change.ports !== undefined && task !== undefined) {
      await republishPorts(container, task, { record: changed, deps });
      republished = true;
    }
    container.record = { ...container.record, config: changed.config, host: changed.host };
    await deps.store.update(container.record);
    const { resources } = updatedResources(change.resources, container.record.host.resources, host);
    if (container.task !== undefined && Object.keys(resources).length > 0)
      await deps.runtime.update(container.task.handle, resources);
  } catch (error) {
    const changed = container.record.host !== before.host;
    container.record = { ...container.record, config: before.config, host: before.host };
    if (changed) await deps.store.update(container.record).catch(() => undefined);
    if (republished) await recallPorts(container, deps);
    const hint = error instanceof EngineError ? error.hint : undefined;
    throw new EngineError(kindOf(error), `Cannot update container ${container.id}: ${messageOf(error)}`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  publishContainerEvent(deps.events, container.record, 'update');
  return warnings;
}
