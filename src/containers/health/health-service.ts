import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../errors/engine-error.ts';
import { nowNano } from '../../sys/clock.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { ExecService } from '../exec/exec-service.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { balancePorts } from '../ports/balance-ports.ts';
import {
  type Health,
  type HealthFailureAction,
  type HealthPlan,
  healthAfter,
  healthPlan,
  nextCheckMs,
  startingHealth,
  uncheckedHealth,
} from './health.ts';
import { HealthNotes } from './health-notes.ts';
import { runProbe } from './run-probe.ts';

export interface HealthServiceOptions {
  deps: Pick<ContainerDependencies, 'events' | 'logger' | 'paths' | 'networks'>;
  execs: ExecService;
  /** Do with a container that has turned unhealthy what its owner wanted. */
  act: (
    container: LiveContainer,
    task: LiveTask,
    action: Exclude<HealthFailureAction, 'none'>,
  ) => Promise<void>;
}

interface Checked {
  container: LiveContainer;
  task: LiveTask;
  plan: HealthPlan;
}

/** Checks the health of containers that ask for it, as long as they run; the others cost nothing. */
export class HealthService {
  readonly #options: HealthServiceOptions;
  readonly #notes: HealthNotes;
  readonly #monitors = new Map<string, AbortController>();

  constructor(options: HealthServiceOptions) {
    this.#options = options;
    this.#notes = new HealthNotes(options.deps.paths.healthNotes);
  }

  /** A task runs: just started, or found by this daemon, which knows its health then. */
  running(container: LiveContainer, task: LiveTask): void {
    const plan = healthPlan(container.record.config);
    if (plan === undefined) return;
    const known = this.#notes.read(container.id);
    const { generation } = task.handle.id;
    const health =
      known?.generation === generation ? known.health : startingHealth(container.health ?? known?.health);
    this.#set(container, generation, health);
    if (!task.paused) this.#begin({ container, task, plan });
  }

  /** While it is paused nothing is checked. */
  paused(container: LiveContainer, task: LiveTask): void {
    if (container.health === undefined) return;
    if (task.paused) this.#stop(container, task);
    else this.running(container, task);
  }

  ended(container: LiveContainer, task: LiveTask): void {
    if (container.health !== undefined) this.#stop(container, task);
  }

  removed(container: LiveContainer): void {
    if (container.health !== undefined) this.#notes.remove(container.id);
  }

  /** What an earlier daemon knew of those that do not run; what it knew of others is of nobody any more. */
  recover(containers: Iterable<LiveContainer>): void {
    const all = [...containers];
    this.#notes.keep(new Set(all.map(({ id }) => id)));
    for (const container of all) if (container.task === undefined) this.#recall(container);
  }

  #recall(container: LiveContainer): void {
    if (healthPlan(container.record.config) === undefined) return;
    const known = this.#notes.read(container.id);
    container.health = known === undefined ? undefined : uncheckedHealth(known.health);
  }

  close(): void {
    for (const monitor of this.#monitors.values()) monitor.abort();
    this.#monitors.clear();
  }

  #begin(checked: Checked): void {
    const monitor = new AbortController();
    this.#monitors.get(checked.container.id)?.abort();
    this.#monitors.set(checked.container.id, monitor);
    void this.#watch(checked, monitor.signal).catch((error: unknown) => {
      const fields = { container: checked.container.id, error: messageOf(error) };
      if (!monitor.signal.aborted)
        this.#options.deps.logger.error('Cannot check the health of a container', fields);
    });
  }

  #stop(container: LiveContainer, task: LiveTask): void {
    this.#monitors.get(container.id)?.abort();
    this.#monitors.delete(container.id);
    if (container.health !== undefined)
      this.#set(container, task.handle.id.generation, uncheckedHealth(container.health));
  }

  async #watch(checked: Checked, signal: AbortSignal): Promise<void> {
    const { container, task, plan } = checked;
    while (!signal.aborted) {
      const status = container.health?.status ?? 'starting';
      const sinceStartMs = Number(nowNano() - container.record.startedAtNano) / 1_000_000;
      await sleep(nextCheckMs(plan, status, sinceStartMs), undefined, { signal, ref: false });
      // A container that is being stopped has no health to lose.
      if (task.exited || task.stop !== undefined) continue;
      const result = await runProbe(this.#options.execs, checked, signal);
      if (signal.aborted || container.health === undefined) return;
      this.#settle(checked, healthAfter(container.health, result, plan, container.record.startedAtNano));
    }
  }

  #settle({ container, task }: Checked, health: Health): void {
    const before = container.health?.status;
    this.#set(container, task.handle.id.generation, health);
    if (before === health.status) return;
    void balancePorts(container, task, this.#options.deps);
    publishContainerEvent(this.#options.deps.events, container.record, `health_status: ${health.status}`);
    if (health.status === 'unhealthy') this.#act(container, task);
  }

  #act(container: LiveContainer, task: LiveTask): void {
    const action = container.record.host.healthOnFailure ?? 'none';
    if (action === 'none') return;
    const { act, deps } = this.#options;
    deps.logger.info('A container is unhealthy', { container: container.id, action });
    act(container, task, action).catch((error: unknown) =>
      deps.logger.error('Cannot act on an unhealthy container', {
        container: container.id,
        action,
        error: messageOf(error),
      }),
    );
  }

  #set(container: LiveContainer, generation: number, health: Health): void {
    container.health = health;
    try {
      this.#notes.write(container.id, generation, health);
    } catch (error) {
      // It is known as long as this daemon lives.
      this.#options.deps.logger.warn('Cannot note the health of a container', { error: messageOf(error) });
    }
  }
}
