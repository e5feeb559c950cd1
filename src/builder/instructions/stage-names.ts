import { quote } from '../../wire/quote.ts';
import { expandWord } from '../expansion/expand-word.ts';
import { atRange, DockerfileError } from '../parser/dockerfile-error.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';
import type { CopyInstruction, Instruction, RunInstruction, Stage } from './instruction.ts';
import { checkRunMount } from './run-mount.ts';
import { didYouMean } from './suggest.ts';

/** Where a stage, a COPY or a mount takes its files from. Named contexts come before all of these; who knows them asks first. */
export type StageSource =
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly name: string }
  | { readonly kind: 'scratch' }
  | { readonly kind: 'context' };

/** What the names in one stage mean. */
export interface StageLinks {
  readonly base: StageSource;
  /** By COPY and RUN of the stage: one source for a COPY, one for each mount of a RUN. Those without any are absent. */
  readonly sources: ReadonlyMap<Instruction, readonly StageSource[]>;
}

/** How a stage shows itself: its name, or `stage-<index>`. */
export function displayName(stage: Pick<Stage, 'name'>, index: number): string {
  return stage.name === '' ? `stage-${index}` : stage.name;
}

/**
 * What FROM, `COPY --from` and `RUN --mount=from` mean.
 *
 * FROM sees the stages before it, the last of a name; `--from` and mounts see all of them, whatever the case, so that a stage which
 * comes later or the stage itself is a link too: that there is no cycle is for the graph to find. A number is the stage of that index.
 *
 * @param bases each stage's base, variables put in.
 * @throws DockerfileError with the instruction's lines.
 */
export function resolveStageNames(
  stages: readonly Stage[],
  bases: readonly string[],
  escapeToken: EscapeToken,
): StageLinks[] {
  const before = new Map<string, number>();
  const links = stages.map((stage, index) => {
    const base = sourceNamed(bases[index] ?? stage.base, before);
    if (stage.name !== '') before.set(stage.name, index);
    return { base, sources: new Map<Instruction, readonly StageSource[]>() };
  });
  for (const [index, stage] of stages.entries()) {
    for (const instruction of stage.instructions) {
      const sources = instructionSources(instruction, { names: before, count: stages.length, escapeToken });
      if (sources.length > 0) links[index]?.sources.set(instruction, sources);
    }
  }
  return links;
}

/** By stage, which is the last one that begins with it: what it came to is needed no longer than that. */
export function lastChildren(
  stages: Iterable<{ readonly index: number; readonly base: StageSource }>,
): Map<number, number> {
  const last = new Map<number, number>();
  for (const { index, base } of stages) if (base.kind === 'stage') last.set(base.index, index);
  return last;
}

export interface KnownStages {
  /** Index by name; of several stages of one name the last. */
  readonly names: ReadonlyMap<string, number>;
  readonly count: number;
  readonly escapeToken: EscapeToken;
}

/** The sources of one COPY or RUN, such as an ONBUILD trigger brings it. @throws DockerfileError with its lines. */
export function instructionSources(instruction: Instruction, known: KnownStages): StageSource[] {
  try {
    if (instruction.kind === 'copy') return copySource(instruction, known);
    return instruction.kind === 'run' ? mountSources(instruction, known) : [];
  } catch (error) {
    throw atRange(error, instruction.range);
  }
}

function copySource({ from }: CopyInstruction, known: KnownStages): StageSource[] {
  if (from === '') return [];
  const { result } = expandWord(from, new Map(), { escapeToken: known.escapeToken });
  if (result !== from) {
    const fault = 'variable expansion is not supported for --from';
    const remedy = 'define a new stage with FROM using ARG from global scope as a workaround';
    throw new DockerfileError(`${fault}, ${remedy}`);
  }
  if (!/^[+-]?\d+$/.test(from)) return [sourceNamed(from.toLowerCase(), known.names, from)];
  const index = Number(from);
  if (index < 0 || index >= known.count) throw new DockerfileError(`invalid stage index ${index}`);
  return [{ kind: 'stage', index }];
}

function mountSources(run: RunInstruction, known: KnownStages): StageSource[] {
  return run.mounts.map((mount) => {
    const from = checkRunMount(mount);
    return from === '' ? { kind: 'context' } : sourceNamed(from.toLowerCase(), known.names, from);
  });
}

function sourceNamed(name: string, stages: ReadonlyMap<string, number>, spelled = name): StageSource {
  const index = stages.get(name);
  if (index !== undefined) return { kind: 'stage', index };
  return spelled === 'scratch' ? { kind: 'scratch' } : { kind: 'image', name: spelled };
}

/** The stage that `--target` names, '' for the last. @throws DockerfileError with a suggestion. */
export function findTarget(stages: readonly Stage[], target: string): number {
  if (target === '') return stages.length - 1;
  const index = stages.findLastIndex((stage) => stage.name !== '' && stage.name === target.toLowerCase());
  if (index >= 0) return index;
  const near = didYouMean(target, stages.map(displayName));
  throw new DockerfileError(`target stage ${quote(target)} could not be found${near}`);
}
