import type { Platform } from '../../oci/platform.ts';
import type { Instruction } from '../instructions/instruction.ts';
import { checkRunMount } from '../instructions/run-mount.ts';
import { instructionSources, type KnownStages, type StageSource } from '../instructions/stage-names.ts';
import { atRange } from '../parser/dockerfile-error.ts';
import type { BaseFinder } from './base-finder.ts';
import type { BuildStep, StepTree } from './build-step.ts';
import { imageStep } from './image-step.ts';

export interface StageTreesPorts {
  bases: BaseFinder;
  known: KnownStages;
  hasContext: boolean;
  /** What a stage that was planned before has come to. */
  headOf: (index: number) => BuildStep | undefined;
}

/** What COPY and the mounts of RUN take their files from. */
export class StageTrees {
  readonly #ports: StageTreesPorts;

  constructor(ports: StageTreesPorts) {
    this.#ports = ports;
  }

  /** One for each source. @throws what finding an image throws, with the instruction's lines. */
  async of(instructions: readonly Instruction[], platform: Platform): Promise<Map<Instruction, StepTree[]>> {
    const trees = new Map<Instruction, StepTree[]>();
    for (const instruction of instructions) {
      const sources = instructionSources(instruction, this.#ports.known);
      const names = namesOf(instruction);
      const found: StepTree[] = [];
      try {
        for (const [at, source] of sources.entries())
          found.push(await this.#tree(source, names[at] ?? '', platform));
      } catch (error) {
        throw atRange(error, instruction.range);
      }
      trees.set(instruction, found);
    }
    return trees;
  }

  async #tree(source: StageSource, name: string, platform: Platform): Promise<StepTree> {
    const { bases, hasContext, headOf } = this.#ports;
    const wanted =
      name !== '' && bases.named(name) !== undefined ? ({ kind: 'image', name } as const) : source;
    switch (wanted.kind) {
      case 'context':
        return hasContext ? { kind: 'context', context: { main: true } } : { kind: 'step', step: undefined };
      case 'scratch':
        return { kind: 'step', step: undefined };
      case 'stage':
        return { kind: 'step', step: headOf(wanted.index) };
      case 'image': {
        const found = await bases.find(wanted.name, platform);
        if (found.kind === 'tree') return found.tree;
        const { image } = found;
        const step = imageStep(image, { name: `FROM ${image.name}`, lines: undefined, platform });
        return { kind: 'step', step };
      }
    }
  }
}

/** As they are written, in the order of `instructionSources`. */
function namesOf(instruction: Instruction): string[] {
  if (instruction.kind === 'copy') return [instruction.from];
  return instruction.kind === 'run' ? instruction.mounts.map(checkRunMount) : [];
}
