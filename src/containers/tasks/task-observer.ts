import type { LiveContainer, LiveTask } from '../live-container.ts';

/** Told of what becomes of tasks, before the event of it goes out. Must not throw. */
export interface TaskObserver {
  /** It has been started, or found by this daemon. */
  running(container: LiveContainer, task: LiveTask): void;
  /** `task.paused` says which way. */
  paused(container: LiveContainer, task: LiveTask): void;
  ended(container: LiveContainer, task: LiveTask): void;
  removed(container: LiveContainer): void;
}
