import { rm } from 'node:fs/promises';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Statement } from '../../storage/state-db.ts';
import { publishContainerEvent, publishVolumeEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer } from '../live-container.ts';
import { imagesOf, removeImageSnapshots } from '../mounts/image-mounts.ts';
import { withOwnVolumes } from '../mounts/volume-users.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { clearResidue } from '../tasks/clear-away.ts';
import { snapshotKeyOf } from '../tasks/task-starter.ts';
import type { BackgroundWork } from './background-work.ts';

/** Takes containers that do not run out of the world. */
export class ContainerRemoval {
  readonly #deps: ContainerDependencies;
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #background: BackgroundWork;

  constructor(deps: ContainerDependencies, index: ContainerIndex<LiveContainer>, background: BackgroundWork) {
    this.#deps = deps;
    this.#index = index;
    this.#background = background;
  }

  /**
   * Its record first, which is the answer, then in the background what it had on disk. When it fails, the container stays and can be removed
   * again. `volumes`: those that nobody named or else has go with it.
   */
  async remove(container: LiveContainer, options: { volumes: boolean }): Promise<void> {
    container.removing = true;
    const { record } = container;
    let volumes: string[] = [];
    const context = { containers: () => this.#index.values(), deps: this.#deps, ...options };
    try {
      await withOwnVolumes(record, context, async (own) => {
        await this.#removeRecord(record.id, this.#deps.volumes.removals(own));
        volumes = own;
      });
    } catch (error) {
      container.removing = false;
      container.removed.notify({ exitCode: record.exitCode, error: messageOf(error) });
      throw error;
    }
    this.#index.remove(container);
    this.#deps.observer?.removed(container);
    container.hub.end();
    for (const name of volumes) publishVolumeEvent(this.#deps.events, 'destroy', name);
    publishContainerEvent(this.#deps.events, record, 'destroy');
    container.nextExit.notify(container.lastResult);
    // What ended it is told by `inspect` and by the failed call; the removal went well.
    container.removed.notify({ exitCode: container.record.exitCode, error: undefined });
    this.#background.track(this.#removeFiles(container, volumes));
  }

  /** Where the container's own log has filled the disk, that goes first. */
  async #removeRecord(id: string, also: readonly Statement[]): Promise<void> {
    try {
      await this.#deps.store.remove(id, also);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'no-space') throw error;
      await rm(this.#deps.paths.log(id), { force: true });
      await this.#deps.store.remove(id, also);
    }
  }

  async #removeFiles(container: LiveContainer, volumes: readonly string[]): Promise<void> {
    const { snapshotter, paths, logger } = this.#deps;
    try {
      await Promise.allSettled([container.cleaning, ...container.copies]);
      await clearResidue(container, this.#deps);
      await snapshotter.remove(snapshotKeyOf(container.id));
      await this.#deps.logs.forget(container.id);
      await removeImageSnapshots(container.record, this.#deps);
      await rm(paths.directory(container.id), { recursive: true, force: true });
      for (const { id } of imagesOf(container.record)) this.#deps.images.containerGone(id);
      await this.#deps.volumes.discard(volumes);
    } catch (error) {
      logger.error('Cannot remove the files of a container', {
        container: container.id,
        error: messageOf(error),
      });
    }
  }
}
