import { EngineError } from '../../errors/engine-error.ts';
import type { Platform } from '../../oci/platform.ts';
import type { NamedContext } from '../build-request.ts';
import { globalArgs, PROXY_ARGS, platformArgs } from '../expansion/arg-scope.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import type { Instruction, Stage } from '../instructions/instruction.ts';
import { readInstruction } from '../instructions/read-instructions.ts';
import {
  findTarget,
  instructionSources,
  type KnownStages,
  lastChildren,
} from '../instructions/stage-names.ts';
import { atRange } from '../parser/dockerfile-error.ts';
import { BaseFinder } from './base-finder.ts';
import type { BuildPlan, PlannedLine, PlanOptions, PlanPorts } from './build-plan.ts';
import type { BuildStep, FileStep, StepTree } from './build-step.ts';
import { type ContextPaths, noteRead } from './context-paths.ts';
import { copyToRoot } from './copy-to-root.ts';
import { imageStep } from './image-step.ts';
import { linesOf, linkStages, neededStages, refuseCycles, type StageNode } from './stage-graph.ts';
import { type Environments, StagePlanner } from './stage-planner.ts';
import { childState, imageState, type StageState, scratchState } from './stage-state.ts';
import { StageTrees } from './stage-trees.ts';
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
  /** Of stages that others still begin with, and the target's. */
  readonly #states = new Map<number, StageState>();
  /** What each stage has come to. */
  readonly #heads = new Map<number, BuildStep | undefined>();
  readonly #bases: BaseFinder;
  readonly #trees: StageTrees;
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
    this.#trees = new StageTrees({
      bases: this.#bases,
      known: this.#known,
      hasContext: options.hasContext,
      headOf: (index) => this.#headOf(index),
    });
  }

  async plan(): Promise<BuildPlan> {
    this.#nodes = linkStages(this.#dockerfile, this.#globals);
    const target = this.#nodes[findTarget(this.#dockerfile.stages, this.#options.target)];
    if (target === undefined) throw new EngineError('internal', 'The plan has no target');
    const needed = await this.#neededFor(target);
    this.#tellGlobals();
    const last = lastChildren(needed);
    for (const node of needed) {
      const { index, base } = node;
      const state = await this.#planStage(node);
      this.#heads.set(index, state.head);
      // Thousands of stages, each with all that those before it have set, would be a gigabyte.
      if (index === target.index || last.has(index)) this.#states.set(index, state);
      const isDone = base.kind === 'stage' && last.get(base.index) === index && base.index !== target.index;
      if (isDone) this.#states.delete(base.index);
    }
    const state = this.#states.get(target.index);
    if (state === undefined) throw new EngineError('internal', 'The plan has no target');
    return {
      platform: state.platform,
      state,
      stages: new Set(needed.map(({ index }) => index)),
      lines: this.#lines.sort((a, b) => a.stage - b.stage),
      declaredArgs: this.#declaredArgs(target.index),
      contexts: this.#contexts,
    };
  }

  #tellGlobals(): void {
    for (const { code, range } of this.#dockerfile.metaArgs)
      this.#lines.push({ code, lines: linesOf(range), step: undefined, stage: -1 });
  }

  /** Those that need no ARG, and by ARGs of the target's stage and all before it, whether they are needed or not: who builds one after the other meets them all. */
  #declaredArgs(target: number): string[] {
    const stages = this.#nodes.slice(0, target + 1).flatMap((node) => this.#instructionsOf(node));
    const args = [...this.#dockerfile.metaArgs, ...stages].flatMap((one) =>
      one.kind === 'arg' ? one.args : [],
    );
    return [...new Set([...args.map(({ key }) => key), ...PROXY_ARGS])];
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
      const trees = await this.#trees.of(instructions, this.#platformOf(node));
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
      noteRead(this.#contexts, found.tree, '/');
      tell(state.head);
      return state;
    }
    const { image } = found;
    const place = { index: 1, total: totalSteps(node, this.#instructionsOf(node)) };
    const name = `${stagePrefix(node, this.#options, place)}FROM ${image.name}`;
    const head = imageStep(image, { name, lines: linesOf(stage.range), platform });
    tell(head);
    return imageState(image, platform, head);
  }

  #stateOf(index: number): StageState {
    const state = this.#states.get(index);
    if (state === undefined) throw notPlanned(index);
    return state;
  }

  #headOf(index: number): BuildStep | undefined {
    if (!this.#heads.has(index)) throw notPlanned(index);
    return this.#heads.get(index);
  }
}

function notPlanned(index: number): EngineError {
  return new EngineError('internal', `Stage ${index} was not planned`);
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
