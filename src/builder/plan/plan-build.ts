import { EngineError } from '../../errors/engine-error.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import type { NamedContext } from '../build-request.ts';
import { globalArgs, platformArgs } from '../expansion/arg-scope.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import type { Instruction, Stage } from '../instructions/instruction.ts';
import { readInstruction } from '../instructions/read-instructions.ts';
import { checkRunMount } from '../instructions/run-mount.ts';
import {
  findTarget,
  instructionSources,
  type KnownStages,
  type StageSource,
} from '../instructions/stage-names.ts';
import { atRange } from '../parser/dockerfile-error.ts';
import { BaseFinder } from './base-finder.ts';
import type { BuildPlan, ContextPaths, PlannedLine, PlanOptions, PlanPorts } from './build-plan.ts';
import type { BaseImage, BuildStep, FileStep, ImageStep, StepTree } from './build-step.ts';
import { copyToRoot } from './copy-to-root.ts';
import { linesOf, linkStages, neededStages, refuseCycles, type StageNode } from './stage-graph.ts';
import { type Environments, StagePlanner } from './stage-planner.ts';
import { childState, imageState, type StageState, scratchState } from './stage-state.ts';
import { digestOf } from './step-id.ts';
import { stagePrefix, totalSteps } from './step-names.ts';

/**
 * Make a plan of a Dockerfile for one platform: which steps, on which, and what the image will say. Only the stages that the target needs
 * are looked at; their base images are asked for all at once.
 *
 * @throws DockerfileError in BuildKit's words, with lines; what `baseImage` throws.
 */
export async function planBuild(
  dockerfile: Dockerfile,
  options: PlanOptions,
  ports: PlanPorts,
): Promise<BuildPlan> {
  return await new Planner(withNamedStages(dockerfile, options.namedContexts), options, ports).plan();
}

/** A named context of a stage's name takes its place. */
function withNamedStages(dockerfile: Dockerfile, named: ReadonlyMap<string, NamedContext>): Dockerfile {
  if (named.size === 0) return dockerfile;
  const stages = dockerfile.stages.map(
    (stage): Stage =>
      stage.name !== '' && named.has(stage.name)
        ? { ...stage, base: stage.name, name: '', spelledName: stage.name, platform: '', instructions: [] }
        : stage,
  );
  return { ...dockerfile, stages };
}

class Planner {
  readonly #dockerfile: Dockerfile;
  readonly #options: PlanOptions;
  readonly #globals: ReadonlyMap<string, string>;
  readonly #known: KnownStages;
  readonly #states = new Map<number, StageState>();
  readonly #bases: BaseFinder;
  /** ONBUILD's instructions, by the stage that they come into. */
  readonly #triggers = new Map<number, readonly Instruction[]>();
  readonly #lines: (PlannedLine & { stage: number })[] = [];
  readonly #contexts: ContextPaths = new Map();
  readonly #environments: Environments = { last: [], entries: 0 };
  #nodes: StageNode[] = [];

  constructor(dockerfile: Dockerfile, options: PlanOptions, ports: PlanPorts) {
    this.#dockerfile = dockerfile;
    this.#options = options;
    this.#bases = new BaseFinder(options.namedContexts, ports);
    const { buildPlatform, platform: targetPlatform, target, buildArgs } = options;
    const targetStage = target === '' ? (dockerfile.stages.at(-1)?.name ?? '') : target;
    this.#globals = globalArgs(dockerfile.metaArgs, {
      predefined: platformArgs({ buildPlatform, targetPlatform, targetStage, buildArgs }),
      buildArgs,
      escapeToken: dockerfile.escapeToken,
    }).variables;
    this.#known = {
      names: new Map(
        dockerfile.stages.flatMap(({ name }, index): [string, number][] =>
          name === '' ? [] : [[name, index]],
        ),
      ),
      count: dockerfile.stages.length,
      escapeToken: dockerfile.escapeToken,
    };
  }

  async plan(): Promise<BuildPlan> {
    this.#nodes = linkStages(this.#dockerfile, this.#globals);
    const target = this.#nodes[findTarget(this.#dockerfile.stages, this.#options.target)];
    if (target === undefined) throw new EngineError('internal', 'The plan has no target');
    const needed = await this.#neededFor(target);
    for (const node of needed) this.#states.set(node.index, await this.#planStage(node));
    const state = this.#states.get(target.index);
    if (state === undefined) throw new EngineError('internal', 'The plan has no target');
    return {
      platform: state.platform,
      state,
      stages: new Set(needed.map(({ index }) => index)),
      lines: this.#lines.sort((a, b) => a.stage - b.stage),
      contexts: this.#contexts,
    };
  }

  /** What the target needs, by ONBUILD's instructions too: which of them there are only the images tell. */
  async #neededFor({ index }: StageNode): Promise<StageNode[]> {
    for (;;) {
      const target = this.#nodes[index];
      const needed = target === undefined ? [] : neededStages(this.#nodes, target);
      this.#askForImages(needed);
      const unknown = needed.filter((node) => !this.#triggers.has(node.index));
      if (unknown.length === 0) return needed;
      for (const node of unknown) await this.#readTriggers(node);
      refuseCycles(this.#nodes);
    }
  }

  async #readTriggers(node: StageNode): Promise<void> {
    const { stage, index, needs } = node;
    try {
      const triggers = (await this.#triggersOf(node)).map((text) => trigger(text, stage));
      this.#triggers.set(index, triggers);
      const sources = triggers.flatMap((one) => instructionSources(one, this.#known));
      const stages = sources.flatMap((source) => (source.kind === 'stage' ? [source.index] : []));
      this.#nodes[index] = { ...node, needs: new Set([...needs, ...stages]) };
    } catch (error) {
      throw atRange(error, stage.range);
    }
  }

  async #triggersOf(node: StageNode): Promise<readonly string[]> {
    const { base } = node;
    if (base.kind === 'stage')
      return (this.#nodes[base.index]?.stage.instructions ?? []).flatMap((one) =>
        one.kind === 'onbuild' ? [one.expression] : [],
      );
    if (base.kind !== 'image') return [];
    const image = await this.#bases.image(base.name, this.#platformOf(node));
    return image?.config.config.onBuild ?? [];
  }

  /** All at once; who needs one waits for it then. */
  #askForImages(needed: readonly StageNode[]): void {
    for (const node of needed) {
      const platform = this.#platformOf(node);
      const sources = this.#instructionsOf(node).flatMap((one) => instructionSources(one, this.#known));
      for (const source of [node.base, ...sources])
        if (source.kind === 'image') void this.#bases.image(source.name, platform);
    }
  }

  #instructionsOf({ index, stage }: StageNode): Instruction[] {
    return [...(this.#triggers.get(index) ?? []), ...stage.instructions];
  }

  #platformOf({ platform }: StageNode): Platform {
    return platform ?? this.#options.platform;
  }

  async #planStage(node: StageNode): Promise<StageState> {
    const { stage } = node;
    try {
      const state = await this.#begin(node);
      state.config = { ...state.config, onBuild: [] };
      const instructions = this.#instructionsOf(node);
      const trees = await this.#treesOf(instructions, node);
      const planner = new StagePlanner({
        node,
        state,
        instructions,
        dockerfile: this.#dockerfile,
        options: this.#options,
        globals: this.#globals,
        contexts: this.#contexts,
        environments: this.#environments,
        trees: (instruction) => trees.get(instruction) ?? [],
        tell: (line) => this.#lines.push({ ...line, stage: node.index }),
      });
      planner.run();
      return state;
    } catch (error) {
      throw atRange(error, stage.range);
    }
  }

  async #begin(node: StageNode): Promise<StageState> {
    const { base, stage } = node;
    const platform = this.#platformOf(node);
    const tell = (step: BuildStep | undefined): void => {
      this.#lines.push({ code: stage.code, lines: linesOf(stage.range), step, stage: node.index });
    };
    if (base.kind === 'stage') {
      const parent = this.#stateOf(base.index);
      tell(parent.head);
      return childState(parent);
    }
    if (base.kind !== 'image') {
      tell(undefined);
      return scratchState(platform);
    }
    const found = await this.#bases.find(base.name, platform);
    if (found.kind === 'tree') {
      const state = scratchState(platform);
      state.head = wholeTree(found.tree, stage.code, platform);
      this.#reads(found.tree, '/');
      tell(state.head);
      return state;
    }
    const head = this.#imageStep(found.image, node, platform);
    tell(head);
    return imageState(found.image, platform, head);
  }

  #imageStep(image: BaseImage, node: StageNode, platform: Platform): ImageStep {
    return {
      kind: 'image',
      id: digestOf(['image', image.name, image.manifestDigest, formatPlatform(platform)]),
      name:
        layoutTitle(image) ??
        `${stagePrefix(node, this.#options, { index: 1, total: totalSteps(node, this.#instructionsOf(node)) })}FROM ${image.name}`,
      lines: linesOf(node.stage.range),
      platform,
      ignoreCache: false,
      image,
    };
  }

  #reads(tree: StepTree, path: string): void {
    if (tree.kind !== 'context') return;
    const key = tree.context.main ? '' : tree.context.name;
    const known = this.#contexts.get(key) ?? { context: tree.context, paths: new Set<string>() };
    known.paths.add(path);
    this.#contexts.set(key, known);
  }

  /** What COPY and the mounts of RUN take their files from, one for each. */
  async #treesOf(
    instructions: readonly Instruction[],
    node: StageNode,
  ): Promise<Map<Instruction, StepTree[]>> {
    const trees = new Map<Instruction, StepTree[]>();
    for (const instruction of instructions) {
      const sources = instructionSources(instruction, this.#known);
      const names = namesOf(instruction);
      const found: StepTree[] = [];
      try {
        for (const [at, source] of sources.entries())
          found.push(await this.#treeOf(source, names[at] ?? '', node));
      } catch (error) {
        throw atRange(error, instruction.range);
      }
      trees.set(instruction, found);
    }
    return trees;
  }

  async #treeOf(source: StageSource, name: string, node: StageNode): Promise<StepTree> {
    const wanted =
      name !== '' && this.#bases.named(name) !== undefined ? ({ kind: 'image', name } as const) : source;
    switch (wanted.kind) {
      case 'context':
        return this.#options.hasContext
          ? { kind: 'context', context: { main: true } }
          : { kind: 'step', step: undefined };
      case 'scratch':
        return { kind: 'step', step: undefined };
      case 'stage':
        return { kind: 'step', step: this.#stateOf(wanted.index).head };
      case 'image': {
        const platform = this.#platformOf(node);
        const found = await this.#bases.find(wanted.name, platform);
        if (found.kind === 'tree') return found.tree;
        return { kind: 'step', step: this.#externalStep(found.image, platform) };
      }
    }
  }

  #stateOf(index: number): StageState {
    const state = this.#states.get(index);
    if (state === undefined) throw new EngineError('internal', `Stage ${index} was not planned`);
    return state;
  }

  #externalStep(image: BaseImage, platform: Platform): ImageStep {
    const id = digestOf(['image', image.name, image.manifestDigest, formatPlatform(platform)]);
    return {
      kind: 'image',
      id,
      name: layoutTitle(image) ?? `FROM ${image.name}`,
      lines: undefined,
      platform,
      ignoreCache: false,
      image,
    };
  }
}

/** BuildKit's name for the step. */
function layoutTitle({ layout }: BaseImage): string | undefined {
  return layout === undefined ? undefined : `[context ${layout.context}] OCI load from client`;
}

/** As they are written, in the order of `instructionSources`. */
function namesOf(instruction: Instruction): string[] {
  if (instruction.kind === 'copy') return [instruction.from];
  return instruction.kind === 'run' ? instruction.mounts.map(checkRunMount) : [];
}

/** An ONBUILD trigger of the base image. */
function trigger(text: string, stage: Stage): Instruction {
  try {
    return readInstruction(text, stage.range);
  } catch (error) {
    throw atRange(error, stage.range);
  }
}

/** A whole tree as a layer of its own: `FROM` a named context. */
function wholeTree(tree: StepTree, code: string, platform: Platform): FileStep {
  const source = { kind: 'path', tree, path: '/' } as const;
  return copyToRoot(source, `[context] ${code}`, platform);
}
