import { LIFELINE_KEY } from '../../wire/lifeline.ts';
import { ApiError } from '../api-error.ts';
import type { EngineClient } from '../engine-client.ts';
import type { VolumeInspect } from '../model.ts';
import type { CreateVolumeOptions } from '../volume-client.ts';
import type { Mount } from './create-body.ts';
import type { Ties } from './ties.ts';

/** A volume by its name. */
export class Volume {
  readonly name: string;
  readonly #client: EngineClient;
  readonly #disposable: boolean;

  constructor(client: EngineClient, name: string, options: { disposable: boolean }) {
    this.#client = client;
    this.name = name;
    this.#disposable = options.disposable;
  }

  /** For the `mounts` of a container. */
  at(target: string, options: { readOnly?: boolean } = {}): Mount {
    return { type: 'volume', source: this.name, target, ...options };
  }

  async inspect(): Promise<VolumeInspect> {
    return JSON.parse(await this.#client.volumes.inspectText(this.name)) as VolumeInspect;
  }

  /** One that is gone is fine. @throws ApiError 409 while a container has it. */
  async remove(): Promise<void> {
    try {
      await this.#client.volumes.remove(this.name);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
  }

  /** Removes what goes with its process; leaves the others alone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposable) await this.remove();
  }
}

/** The engine's volumes; `engine.client.volumes` has the rest. */
export class Volumes {
  readonly #client: EngineClient;
  readonly #ties: Ties;

  constructor(client: EngineClient, ties: Ties) {
    this.#client = client;
    this.#ties = ties;
  }

  /**
   * Make one that goes with this process, or, with `keep`, stays.
   *
   * @throws ApiError; EngineError "not-implemented" for an owner or mode at a daemon that isn't Sampan's.
   */
  async create(options: CreateVolumeOptions & { keep?: boolean } = {}): Promise<Volume> {
    const { keep = false, ...wanted } = options;
    const existed = wanted.name !== undefined && (await this.#exists(wanted.name));
    const disposable = !keep && !existed;
    const labels = disposable ? { ...wanted.labels, [LIFELINE_KEY]: await this.#ties.hold() } : wanted.labels;
    const { Name } = await this.#client.volumes.create({ ...wanted, labels });
    const volume = new Volume(this.#client, Name, { disposable });
    if (disposable) this.#ties.add(volume);
    return volume;
  }

  /** One that is there, or will be: nothing is asked. */
  get(name: string): Volume {
    return new Volume(this.#client, name, { disposable: false });
  }

  async #exists(name: string): Promise<boolean> {
    try {
      await this.#client.volumes.inspectText(name);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }
}
