import { EngineError } from '../errors/engine-error.ts';
import type { LiveContainer, LiveTask } from './live-container.ts';

export function notRunning(container: LiveContainer): EngineError {
  return new EngineError('conflict', `container ${container.id} is not running`);
}

/** @throws EngineError "conflict" when it does not run. */
export function runningTask(container: LiveContainer): LiveTask {
  if (container.task === undefined || container.task.exited) throw notRunning(container);
  return container.task;
}
