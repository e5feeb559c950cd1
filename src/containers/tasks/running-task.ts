import { EngineError } from '../../errors/engine-error.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';

export function notRunning(container: LiveContainer): EngineError {
  return new EngineError('conflict', `container ${container.id} is not running`);
}

/** @throws EngineError "conflict" when it does not run, or is between two runs. */
export function runningTask(container: LiveContainer): LiveTask {
  if (container.pendingRestart !== undefined)
    throw new EngineError(
      'conflict',
      `Container ${container.id} is restarting, wait until the container is running`,
    );
  if (container.task === undefined || container.task.exited) throw notRunning(container);
  return container.task;
}
