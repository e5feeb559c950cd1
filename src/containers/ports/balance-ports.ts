import { messageOf } from '../../errors/engine-error.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import { healthPlan } from '../health/health.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import type { ContainerRecord } from '../record/container-record.ts';

/** Its ports may be those of others, too, that say so. */
export const SHARED_LABEL = 'com.sampan.publish.shared';

export function sharesPorts({ config }: Pick<ContainerRecord, 'config'>): boolean {
  return ['true', '1'].includes(config.labels[SHARED_LABEL] ?? '');
}

/**
 * Whether new connections to ports that it shares go to a container, by what is known of it now. Call it whenever that is another. What
 * can't be done is logged.
 */
export async function balancePorts(
  container: LiveContainer,
  task: LiveTask,
  { networks, logger }: Pick<ContainerDependencies, 'networks' | 'logger'>,
): Promise<void> {
  if (!sharesPorts(container.record)) return;
  try {
    await networks.ports.rest(container.id, !takesConnections(container, task));
  } catch (error) {
    logger.warn('Cannot change how connections to a shared port are spread', {
      container: container.id,
      error: messageOf(error),
    });
  }
}

/** It runs, nobody is stopping it, and where it is checked it is healthy. */
function takesConnections({ record, health }: LiveContainer, task: LiveTask): boolean {
  const isHealthy = healthPlan(record.config) === undefined || health?.status === 'healthy';
  return isHealthy && !task.paused && !task.exited && task.stop === undefined;
}
