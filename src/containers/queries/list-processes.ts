import { EngineError } from '../../errors/engine-error.ts';
import { run } from '../../sys/spawn.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer } from '../live-container.ts';
import { runningTask } from '../tasks/running-task.ts';
import { filterProcesses } from './process-table.ts';

/** As `ContainerBackend.top`. */
export async function listProcesses(
  container: LiveContainer,
  psArguments: string[],
  deps: Pick<ContainerDependencies, 'runtime' | 'events'>,
): Promise<{ titles: string[]; processes: string[][] }> {
  const task = runningTask(container);
  const pids = await deps.runtime.processes(task.handle);
  const table = await run(['ps', ...(psArguments.length === 0 ? ['-ef'] : psArguments)], {
    timeoutMs: 10_000,
  });
  if (table.exitCode !== 0)
    throw new EngineError('internal', `ps: ${table.stderr.trim().split('\n', 1)[0] ?? ''}`);
  const found = filterProcesses(table.stdout, new Set(pids));
  publishContainerEvent(deps.events, container.record, 'top');
  return found;
}
