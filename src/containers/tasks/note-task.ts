import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';

/** Put down what the next daemon must know of a task, as it is now. */
export function noteTask(
  container: LiveContainer,
  task: LiveTask,
  { notes, networks }: Pick<ContainerDependencies, 'notes' | 'networks'>,
): void {
  const { handle, endpoints, paused, stop, updating } = task;
  const startedAtNano = String(container.record.startedAtNano);
  notes.write(container.id, {
    handle,
    startedAtNano,
    endpoints,
    ports: networks.ports.of(container.id),
    paused,
    ...(stop === undefined ? {} : { stop }),
    ...(updating === true ? { updating } : {}),
  });
}
