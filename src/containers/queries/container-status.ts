import type { ContainerState, ContainerStatus } from '../container.ts';
import type { LiveContainer } from '../live-container.ts';

export function statusOf(container: LiveContainer): ContainerStatus {
  if (container.removing) return 'removing';
  if (container.task !== undefined) return container.task.paused ? 'paused' : 'running';
  if (container.pendingRestart !== undefined) return 'restarting';
  return container.record.startedAtNano === 0n ? 'created' : 'exited';
}

export function stateOf(container: LiveContainer): ContainerState {
  const { record, task } = container;
  return {
    status: statusOf(container),
    pid: task?.handle.pid ?? 0,
    exitCode: task === undefined ? record.exitCode : 0,
    oomKilled: record.oomKilled,
    error: task === undefined ? record.error : '',
    startedAtNano: record.startedAtNano,
    finishedAtNano: record.finishedAtNano,
    health: container.health,
  };
}
