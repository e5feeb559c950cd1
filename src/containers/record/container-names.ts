import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import type { LiveContainer } from '../live-container.ts';
import type { ContainerIndex } from './container-store.ts';
import { checkName, generateName } from './names.ts';

/** Names that are taken: by a container, or promised to a creation or a rename under way. */
export class ContainerNames {
  readonly #index: Pick<ContainerIndex<LiveContainer>, 'byName' | 'hasName'>;
  readonly #reserved = new Set<string>();

  constructor(index: Pick<ContainerIndex<LiveContainer>, 'byName' | 'hasName'>) {
    this.#index = index;
  }

  /** One that nobody has. */
  generate(): string {
    return generateName((candidate) => this.#index.hasName(candidate) || this.#reserved.has(candidate));
  }

  /** Check and reserve a new name for a container that has one. @throws EngineError "invalid" or "conflict" in Docker's words. */
  allocate(name: string): string {
    try {
      const checked = checkName(`/${name.replace(/^\//, '')}`);
      this.reserve(checked);
      return checked;
    } catch (error) {
      const message = `Error when allocating new name: ${messageOf(error)}`;
      throw new EngineError(kindOf(error), message, { cause: error });
    }
  }

  /** Until `release`. @throws EngineError "conflict" in Docker's words when the name is taken. */
  reserve(name: string): void {
    const holder = this.#index.byName(name);
    if (holder === undefined && !this.#reserved.has(name)) {
      this.#reserved.add(name);
      return;
    }
    const by = holder === undefined ? 'another container' : `container "${holder.id}"`;
    throw new EngineError(
      'conflict',
      `Conflict. The container name "/${name}" is already in use by ${by}. You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  /** What has the name by now keeps it. */
  release(name: string): void {
    this.#reserved.delete(name);
  }
}
