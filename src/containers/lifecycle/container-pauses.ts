import { EngineError } from '../../errors/engine-error.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { balancePorts } from '../ports/balance-ports.ts';
import { noteTask } from '../tasks/note-task.ts';
import { notRunning, runningTask } from '../tasks/running-task.ts';

/** @throws EngineError "conflict" when it does not run, or is paused. */
export async function pauseContainer(container: LiveContainer, deps: ContainerDependencies): Promise<void> {
  const task = runningTask(container);
  if (task.paused) throw new EngineError('conflict', `Container ${container.id} is already paused`);
  await deps.runtime.pause(task.handle);
  await setPaused(container, { deps, task, paused: true });
}

/** @throws EngineError "conflict" when it is not paused. */
export async function unpauseContainer(container: LiveContainer, deps: ContainerDependencies): Promise<void> {
  const { task } = container;
  if (task === undefined || !task.paused)
    throw new EngineError('conflict', `Container ${container.id} is not paused`);
  await deps.runtime.resume(task.handle);
  await setPaused(container, { deps, task, paused: false });
}

async function setPaused(
  container: LiveContainer,
  change: { deps: ContainerDependencies; task: LiveTask; paused: boolean },
): Promise<void> {
  const { deps, task, paused } = change;
  if (container.task !== task) throw notRunning(container);
  task.paused = paused;
  noteTask(container, task, deps);
  // Killed meanwhile: the note that was cleared away must not come back, or the next daemon would look for the task.
  if (container.task !== task) {
    await deps.notes.remove(container.id);
    throw notRunning(container);
  }
  deps.observer?.paused(container, task);
  await balancePorts(container, task, deps);
  publishContainerEvent(deps.events, container.record, paused ? 'pause' : 'unpause');
}
