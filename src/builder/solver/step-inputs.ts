import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import type { MadeLayer } from '../../images/layers/make-layer.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { nowNano } from '../../sys/clock.ts';
import type { FileAction } from '../copy/file-action.ts';
import type { BuildStep, FileStep, RunStep, StepTree } from '../plan/build-step.ts';
import { digestOf } from '../plan/step-id.ts';
import type { FilePlace } from '../sources/file-place.ts';
import type { SolverPorts } from './build-ports.ts';
import type { BuiltLayer } from './cache-record.ts';
import type { SolvedStep, SolveOptions } from './solve-build.ts';

/** Part of every key: another number forgets what was cached before. */
const KEY_VERSION = 1;

/** What steps are made of: results of others, places of files, keys. */
export class StepInputs {
  readonly ports: SolverPorts;
  /** `signal` ends with the build's first failure too. */
  readonly options: SolveOptions;
  readonly #solve: (step: BuildStep) => Promise<SolvedStep>;

  constructor(ports: SolverPorts, options: SolveOptions, solve: (step: BuildStep) => Promise<SolvedStep>) {
    this.ports = ports;
    this.options = options;
    this.#solve = solve;
  }

  key(parts: readonly unknown[]): string {
    return digestOf([KEY_VERSION, ...parts]);
  }

  built({ layer, descriptor }: MadeLayer, parent: ChainId | undefined): BuiltLayer {
    return {
      chainId: chainIdOn(parent, layer.diffId),
      diffId: layer.diffId,
      descriptor,
      tarSize: layer.tarSize,
      createdNano: nowNano(),
    };
  }

  async parentOf({ parent }: RunStep | FileStep): Promise<ChainId | undefined> {
    return parent === undefined ? undefined : (await this.#solve(parent)).chain;
  }

  async #placeOfChain(chain: ChainId | undefined): Promise<FilePlace> {
    return { kind: 'layers', layers: chain === undefined ? [] : await this.ports.snapshotter.places(chain) };
  }

  async placeOf(tree: StepTree): Promise<FilePlace> {
    if (tree.kind === 'context') return (await this.options.contexts.tree(tree.context)).place;
    return await this.#placeOfChain(
      tree.step === undefined ? undefined : (await this.#solve(tree.step)).chain,
    );
  }

  async chainOf(tree: StepTree): Promise<ChainId | undefined> {
    return tree.kind === 'step' && tree.step !== undefined ? (await this.#solve(tree.step)).chain : undefined;
  }

  /** @throws EngineError in BuildKit's words for what isn't there. */
  async digest(actions: readonly FileAction[]): Promise<Digest> {
    try {
      return await this.ports.layers.files.digest({ actions }, { signal: this.options.signal });
    } catch (error) {
      if (kindOf(error) !== 'not-found') throw error;
      throw new EngineError('not-found', `failed to compute cache key: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}
