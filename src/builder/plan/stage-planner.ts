import { formatPlatform } from '../../oci/platform.ts';
import { declareArg, proxyVariables } from '../expansion/arg-scope.ts';
import { expandWord } from '../expansion/expand-word.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import {
  expandInstruction,
  readMounts,
  type WordExpander,
  wordExpander,
} from '../instructions/expand-instruction.ts';
import { readExposedPorts } from '../instructions/exposed-ports.ts';
import type {
  AddInstruction,
  ArgInstruction,
  CopyInstruction,
  ExposeInstruction,
  Instruction,
  RunInstruction,
  WorkdirInstruction,
} from '../instructions/instruction.ts';
import { atRange, DockerfileError } from '../parser/dockerfile-error.ts';
import { isGitUrl, isHttpUrl } from '../sources/git-reference.ts';
import type { PlannedLine, PlanOptions } from './build-plan.ts';
import {
  BUILD_HOSTNAME,
  type BuildStep,
  type StepHead,
  type StepShell,
  type StepSource,
  type StepTree,
} from './build-step.ts';
import { type ContextPaths, noteRead } from './context-paths.ts';
import { changeImage, exposePorts, joinWorkdir, shellProgram, withShell } from './image-changes.ts';
import { heredocCommand, heredocSummary } from './run-command.ts';
import { planMounts } from './run-mounts.ts';
import { linesOf, type StageNode } from './stage-graph.ts';
import { addHistory, type StageState } from './stage-state.ts';
import { digestOf } from './step-id.ts';
import { stagePrefix, totalSteps } from './step-names.ts';

/** Variables of all RUNs together: more than real files come to, few enough to be handed on at once. */
const MAX_VARIABLES = 1_000_000;

/** The variables of RUNs, of all stages of a plan. */
export interface Environments {
  last: readonly string[];
  entries: number;
}

export interface StageContext {
  node: StageNode;
  state: StageState;
  instructions: readonly Instruction[];
  dockerfile: Dockerfile;
  options: PlanOptions;
  globals: ReadonlyMap<string, string>;
  contexts: ContextPaths;
  environments: Environments;
  /** What COPY and the mounts of RUN take their files from. */
  trees: (instruction: Instruction) => readonly StepTree[];
  tell: (line: PlannedLine) => void;
}

/** Turns a stage's instructions into steps and configuration, one after the other. */
export class StagePlanner {
  readonly #context: StageContext;
  readonly #state: StageState;
  readonly #total: number;
  readonly #expand: WordExpander;
  readonly #ignoreCache: boolean;
  #index: number;

  constructor(context: StageContext) {
    const { node, state, dockerfile, options } = context;
    const { escapeToken } = dockerfile;
    this.#context = context;
    this.#state = state;
    this.#total = totalSteps(node, context.instructions);
    this.#index = node.base.kind === 'image' ? 1 : 0;
    const { name } = node.stage;
    this.#ignoreCache =
      options.noCache || options.noCacheStages.some((stage) => stage !== '' && stage.toLowerCase() === name);
    this.#expand = wordExpander(state.variables, { escapeToken });
  }

  /** @throws DockerfileError with the instruction's lines. */
  run(): void {
    for (const instruction of this.#context.instructions) {
      try {
        const before = this.#state.head;
        this.#dispatch(instruction);
        const step = this.#state.head === before ? undefined : this.#state.head;
        this.#context.tell({ code: instruction.code, lines: linesOf(instruction.range), step });
      } catch (error) {
        throw atRange(error, instruction.range);
      }
    }
  }

  #dispatch(written: Instruction): void {
    if (written.kind === 'arg') return this.#arg(written);
    if (written.kind === 'run') return this.#run(written);
    const instruction = expandInstruction(written, this.#expand);
    switch (instruction.kind) {
      case 'copy':
      case 'add':
        return this.#transfer(instruction, written);
      case 'workdir':
        return this.#workdir(instruction);
      case 'expose':
        return this.#expose(instruction);
      default:
        changeImage(this.#state, instruction);
    }
  }

  #expose(instruction: ExposeInstruction): void {
    const { escapeToken } = this.#context.dockerfile;
    const words = readExposedPorts(instruction, this.#state.variables, escapeToken);
    exposePorts(
      this.#state,
      [...words].flatMap(({ ports }) => ports),
    );
  }

  /** A value of the command line, else the default, else the one from above the first FROM. */
  #arg({ args, range }: ArgInstruction): void {
    const { options, globals, dockerfile } = this.#context;
    const { variables } = this.#state;
    const told = args.map((arg) => {
      const { buildArgs } = options;
      const { escapeToken } = dockerfile;
      const value = declareArg(arg, { globals, buildArgs, variables, escapeToken, range });
      if (value !== undefined) variables.set(arg.key, value);
      if (!this.#state.args.includes(arg.key)) this.#state.args.push(arg.key);
      return value === undefined ? arg.key : `${arg.key}=${value}`;
    });
    addHistory(this.#state, `ARG ${told.join(' ')}`, { layer: false });
  }

  #run(instruction: RunInstruction): void {
    const command = heredocCommand(instruction);
    const args = withShell(
      { commandLine: command.args, prependShell: instruction.prependShell },
      this.#state,
    );
    const mounts = planMounts(readMounts(instruction, this.#expand), {
      trees: this.#context.trees(instruction),
      workdir: this.#workdirNow,
      platform: this.#state.platform,
      reads: (tree, path) => noteRead(this.#context.contexts, tree, path),
      cacheNamespace: this.#context.options.buildArgs.get('BUILDKIT_CACHE_MOUNT_NS') ?? '',
    });
    const summary = heredocSummary(instruction);
    this.#add(instruction, `${instruction.code}${summary}`, {
      kind: 'run',
      parent: this.#state.head,
      args,
      env: this.#environment(),
      proxyEnv: proxyVariables(this.#context.options.buildArgs),
      hostname: this.#context.options.buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME') || BUILD_HOSTNAME,
      workdir: this.#workdirNow,
      user: this.#state.config.user,
      mounts: [...mounts, ...command.mounts],
      network: instruction.network,
      security: instruction.security,
    });
    const set = this.#state.args.map((name) => `${name}=${this.#state.variables.get(name) ?? ''}`);
    const shown = [...(set.length === 0 ? [] : [`|${set.length}`, ...set]), ...args].join(' ');
    addHistory(this.#state, `RUN ${shown} # buildkit`, { layer: true });
  }

  /** RUNs with the same variables share one list: a plan goes from thread to thread. @throws DockerfileError where that doesn't help. */
  #environment(): readonly string[] {
    const env = [...this.#state.variables].map(([name, value]) => `${name}=${value}`);
    const { environments } = this.#context;
    const { last } = environments;
    if (last.length === env.length && last.every((entry, at) => entry === env[at])) return last;
    environments.last = env;
    environments.entries += env.length;
    if (environments.entries > MAX_VARIABLES)
      throw new DockerfileError(
        `Cannot build a Dockerfile whose RUNs have more than ${MAX_VARIABLES} variables in all`,
      );
    return env;
  }

  #shell(): StepShell {
    const { user } = this.#state.config;
    return { args: shellProgram(this.#state), env: this.#environment(), workdir: this.#workdirNow, user };
  }

  get #workdirNow(): string {
    return this.#state.config.workingDir === '' ? '/' : this.#state.config.workingDir;
  }

  #mainContext(): StepTree {
    return this.#context.options.hasContext
      ? { kind: 'context', context: { main: true } }
      : { kind: 'step', step: undefined };
  }

  #transfer(instruction: CopyInstruction | AddInstruction, written: Instruction): void {
    const isAdd = instruction.kind === 'add';
    const sources = [
      ...instruction.contents.map(({ path, data }): StepSource => ({ kind: 'text', name: path, data })),
      ...instruction.sources.map((word) => this.#source(word, instruction, written)),
    ];
    this.#add(instruction, written.code, {
      kind: 'file',
      parent: this.#state.head,
      link: instruction.link,
      work: {
        kind: 'copy',
        sources,
        options: {
          command: isAdd ? 'ADD' : 'COPY',
          destination: instruction.destination,
          workdir: this.#workdirNow,
          chown: instruction.chown,
          chmod: instruction.chmod,
          parents: !isAdd && instruction.parents,
          exclude: instruction.exclude,
          unpack: isAdd ? instruction.unpack : undefined,
        },
      },
    });
    addHistory(this.#state, transferHistory(instruction), { layer: true });
  }

  #source(word: string, instruction: CopyInstruction | AddInstruction, written: Instruction): StepSource {
    if (instruction.kind === 'add') {
      const checksum = instruction.checksum === '' ? undefined : instruction.checksum;
      if (isGitUrl(word))
        return { kind: 'git', url: word, checksum, keepGitDir: instruction.keepGitDir ?? false };
      if (isHttpUrl(word)) return { kind: 'url', url: word, checksum };
    }
    const tree = this.#context.trees(written)[0] ?? this.#mainContext();
    noteRead(this.#context.contexts, tree, word);
    return { kind: 'path', tree, path: word };
  }

  #workdir(instruction: WorkdirInstruction): void {
    const path = joinWorkdir(this.#workdirNow, instruction.path);
    this.#state.config = { ...this.#state.config, workingDir: path };
    if (path !== '/')
      this.#add(instruction, instruction.code, {
        kind: 'file',
        parent: this.#state.head,
        link: false,
        work: { kind: 'directory', path, user: this.#state.config.user },
      });
    addHistory(this.#state, `WORKDIR ${path}`, { layer: path !== '/' });
  }

  #add(instruction: Instruction, text: string, step: DistributiveOmit<BuildStep, keyof StepHead>): void {
    const { node, options } = this.#context;
    this.#index++;
    const head: StepHead = {
      // What is made anew is no other's result.
      id: digestOf([step, formatPlatform(this.#state.platform), this.#ignoreCache]),
      name: `${stagePrefix(node, options, { index: this.#index, total: this.#total })}${this.#shown(text)}`,
      lines: linesOf(instruction.range),
      platform: this.#state.platform,
      ignoreCache: this.#ignoreCache,
      ...(options.debug ? { shell: this.#shell() } : {}),
    };
    this.#state.head = { ...step, ...head } as BuildStep;
  }

  /** Variables in, where that can be done: it is for people. */
  #shown(text: string): string {
    const upper = text.replace(/^\S+/, (keyword) => keyword.toUpperCase());
    const { escapeToken } = this.#context.dockerfile;
    try {
      return expandWord(upper, this.#state.variables, { escapeToken, rawQuotes: true, skipUnset: true })
        .result;
    } catch {
      return upper;
    }
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function transferHistory(instruction: CopyInstruction | AddInstruction): string {
  const { chown, chmod, sources, contents, destination } = instruction;
  const words = [
    instruction.kind === 'add' ? 'ADD' : 'COPY',
    ...(chown === '' ? [] : [`--chown=${chown}`]),
    ...(chmod === '' ? [] : [`--chmod=${chmod}`]),
    ...sources,
    ...contents.map(({ path }) => `<<${path}`),
    destination,
  ];
  return `${words.join(' ')} # buildkit`;
}
