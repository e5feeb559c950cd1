import { EngineError } from '../../errors/engine-error.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import { familiarName, parseReference, withDefaultTag } from '../../oci/reference.ts';
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
import type { BuildPlan, ContextPaths, PlannedLine, PlanOptions, PlanPorts } from './build-plan.ts';
import type { BaseImage, BuildStep, FileStep, ImageStep, StepTree } from './build-step.ts';
import { copyToRoot } from './copy-to-root.ts';
import { linesOf, linkStages, neededStages, type StageNode } from './stage-graph.ts';
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

type FoundBase = { kind: 'image'; image: BaseImage } | { kind: 'tree'; tree: StepTree };

class Planner {
  readonly #dockerfile: Dockerfile;
  readonly #options: PlanOptions;
  readonly #ports: PlanPorts;
  readonly #globals: ReadonlyMap<string, string>;
  readonly #known: KnownStages;
  readonly #states = new Map<number, StageState>();
  readonly #images = new Map<string, Promise<BaseImage>>();
  readonly #lines: (PlannedLine & { stage: number })[] = [];
  readonly #contexts: ContextPaths = new Map();
  readonly #environments: Environments = { last: [], entries: 0 };
  #nodes: StageNode[] = [];

  constructor(dockerfile: Dockerfile, options: PlanOptions, ports: PlanPorts) {
    this.#dockerfile = dockerfile;
    this.#options = options;
    this.#ports = ports;
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
    const needed = neededStages(this.#nodes, target);
    this.#askForImages(needed);
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

  /** All at once; who needs one waits for it then. */
  #askForImages(needed: readonly StageNode[]): void {
    for (const node of needed) {
      const platform = this.#platformOf(node);
      const sources = node.stage.instructions.flatMap((one) => instructionSources(one, this.#known));
      for (const source of [node.base, ...sources])
        if (source.kind === 'image') void this.#image(source.name, platform);
    }
  }

  #platformOf({ platform }: StageNode): Platform {
    return platform ?? this.#options.platform;
  }

  #image(name: string, platform: Platform): Promise<BaseImage> | undefined {
    const named = this.#named(name);
    if (named?.type === 'local' || named?.type === 'remote') return undefined;
    const reference = named === undefined ? name : named.reference;
    const key = `${named?.type ?? 'image'} ${reference} ${formatPlatform(platform)}`;
    const known = this.#images.get(key);
    if (known !== undefined) return known;
    const image =
      named?.type === 'oci-layout'
        ? this.#ports.layoutImage(name, reference, platform)
        : this.#ports.baseImage(reference, platform);
    image.catch(() => undefined);
    this.#images.set(key, image);
    return image;
  }

  /** By its own name, or by the full or short spelling of the image. */
  #named(name: string): NamedContext | undefined {
    const { namedContexts } = this.#options;
    if (namedContexts.size === 0) return undefined;
    const own = namedContexts.get(name) ?? namedContexts.get(name.toLowerCase());
    if (own !== undefined) return own;
    let wanted: string;
    try {
      wanted = familiarName(withDefaultTag(parseReference(name)));
    } catch {
      return undefined;
    }
    for (const [key, context] of namedContexts) {
      try {
        if (familiarName(withDefaultTag(parseReference(key))) === wanted) return context;
      } catch {
        // A name that is no image's.
      }
    }
    return undefined;
  }

  async #find(name: string, platform: Platform): Promise<FoundBase> {
    const image = this.#image(name, platform);
    if (image !== undefined) return { kind: 'image', image: await image };
    const named = this.#named(name);
    if (named?.type === 'local') {
      const context = { main: false, name: named.name } as const;
      return { kind: 'tree', tree: { kind: 'context', context } };
    }
    if (named?.type === 'remote')
      return { kind: 'tree', tree: { kind: 'step', step: remoteTree(named.url, platform) } };
    throw new EngineError('internal', `Context ${name} is of no known kind`);
  }

  async #planStage(node: StageNode): Promise<StageState> {
    const { stage } = node;
    try {
      const state = await this.#begin(node);
      const triggers = state.config.onBuild.map((text) => trigger(text, stage));
      state.config = { ...state.config, onBuild: [] };
      const instructions = [...triggers, ...stage.instructions];
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
      const parent = this.#states.get(base.index);
      if (parent === undefined) throw new EngineError('internal', `Stage ${base.index} was not planned`);
      tell(parent.head);
      return childState(parent);
    }
    if (base.kind !== 'image') {
      tell(undefined);
      return scratchState(platform);
    }
    const found = await this.#find(base.name, platform);
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
        `${stagePrefix(node, this.#options, { index: 1, total: totalSteps(node, node.stage.instructions) })}FROM ${image.name}`,
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
      name !== '' && this.#named(name) !== undefined ? ({ kind: 'image', name } as const) : source;
    switch (wanted.kind) {
      case 'context':
        return this.#options.hasContext
          ? { kind: 'context', context: { main: true } }
          : { kind: 'step', step: undefined };
      case 'scratch':
        return { kind: 'step', step: undefined };
      case 'stage':
        return { kind: 'step', step: this.#states.get(wanted.index)?.head };
      case 'image': {
        const platform = this.#platformOf(node);
        const found = await this.#find(wanted.name, platform);
        if (found.kind === 'tree') return found.tree;
        return { kind: 'step', step: this.#externalStep(found.image, platform) };
      }
    }
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

function remoteTree(url: string, platform: Platform): FileStep {
  const source = { kind: 'git', url, checksum: undefined, keepGitDir: false } as const;
  return copyToRoot(source, `[context] load ${url}`, platform);
}
