import { EngineError } from '../../errors/engine-error.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer } from '../live-container.ts';
import type { ContainerNames } from './container-names.ts';
import type { ContainerIndex } from './container-store.ts';

/** Gives containers other names. */
export class ContainerRenames {
  readonly #deps: Pick<ContainerDependencies, 'store' | 'events'>;
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #names: ContainerNames;

  constructor(
    deps: Pick<ContainerDependencies, 'store' | 'events'>,
    index: ContainerIndex<LiveContainer>,
    names: ContainerNames,
  ) {
    this.#deps = deps;
    this.#index = index;
    this.#names = names;
  }

  /**
   * Call it in the container's queue.
   *
   * @param tell brings its networks the new name.
   * @throws EngineError in Docker's words: "invalid" or "conflict".
   */
  async rename(container: LiveContainer, newName: string, tell: () => Promise<void>): Promise<void> {
    const oldName = container.name;
    if (newName.replace(/^\//, '') === oldName)
      throw new EngineError('invalid', 'Renaming a container with the same name as its current name');
    const name = this.#names.allocate(newName);
    try {
      await this.#commit(container, name);
    } finally {
      this.#names.release(name);
    }
    await tell();
    publishContainerEvent(this.#deps.events, container.record, 'rename', {
      attributes: { oldName: `/${oldName}` },
    });
  }

  /** In memory first: an exit that is written meanwhile has the new name with it, and no write has what another one replaced. */
  async #commit(container: LiveContainer, name: string): Promise<void> {
    const oldName = container.name;
    const assign = (to: string) =>
      this.#index.rename(container, () => {
        container.record = { ...container.record, name: to };
      });
    assign(name);
    try {
      await this.#deps.store.update(container.record);
    } catch (error) {
      assign(oldName);
      await this.#deps.store.update(container.record).catch(() => undefined);
      throw error;
    }
  }
}
