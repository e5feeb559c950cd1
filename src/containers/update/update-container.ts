import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import { resourceHost, updatedResources } from '../../runtime/spec/resources.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { recallPorts, republishPorts } from '../ports/change-ports.ts';
import { noteTask } from '../tasks/note-task.ts';
import { type ContainerChange, changedRecord, checkChange } from './container-update.ts';

/**
 * Ports first (others may have them), then the disk, then the cgroup of what runs; what fails takes back the rest. A daemon that dies
 * amid it leaves what the disk says, to which the next one brings ports and limits. Call it in the container's queue.
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
    const { resources } = updatedResources(change.resources, changed.host.resources, host);
    const limited = Object.keys(resources).length > 0 ? task : undefined;
    if (limited !== undefined) noteUpdating(container, limited, { updating: true, deps });
    container.record = { ...container.record, config: changed.config, host: changed.host };
    await deps.store.update(container.record);
    if (limited !== undefined && container.task === limited)
      await deps.runtime.update(limited.handle, resources);
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
  } finally {
    if (task?.updating === true) noteUpdating(container, task, { updating: false, deps });
  }
  publishContainerEvent(deps.events, container.record, 'update');
  return warnings;
}

type LimitPorts = Pick<ContainerDependencies, 'runtime' | 'networks' | 'notes' | 'logger'>;

/** The daemon before died amid an update: bring the limits of what runs to what the record says. */
export async function finishUpdate(
  container: LiveContainer,
  task: LiveTask,
  deps: LimitPorts,
): Promise<void> {
  try {
    const host = resourceHost((await deps.runtime.info()).cgroupVersion);
    const all = container.record.host.resources;
    await deps.runtime.update(task.handle, updatedResources(all, all, host).resources);
    noteUpdating(container, task, { updating: false, deps });
  } catch (error) {
    // It has ended meanwhile, or the next daemon tries again.
    deps.logger.warn('Cannot bring limits to what was asked', {
      container: container.id,
      error: messageOf(error),
    });
  }
}

function noteUpdating(
  container: LiveContainer,
  task: LiveTask,
  { updating, deps }: { updating: boolean; deps: Pick<LimitPorts, 'networks' | 'notes'> },
): void {
  task.updating = updating;
  // One that has ended has no note any more.
  if (container.task === task && !task.exited) noteTask(container, task, deps);
}
