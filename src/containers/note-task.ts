import type { ContainerDependencies } from './dependencies.ts';
import type { LiveContainer, LiveTask } from './live-container.ts';

/** Put down what the next daemon must know of a task, as it is now. */
export function noteTask(
  container: LiveContainer,
  task: LiveTask,
  { notes }: Pick<ContainerDependencies, 'notes'>,
): void {
  const { handle, endpoints, paused, stop } = task;
  const startedAtNano = String(container.record.startedAtNano);
  notes.write(container.id, {
    handle,
    startedAtNano,
    endpoints,
    paused,
    ...(stop === undefined ? {} : { stop }),
  });
}
