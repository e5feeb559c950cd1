import { cleanPath, type PatternMatcher } from '../../archive/pattern-matcher.ts';
import { quote } from '../../wire/quote.ts';
import { type BuildArgs, declareArg, type GlobalArgs, SETTING_ARGS } from '../expansion/arg-scope.ts';
import { expandInstruction, readMounts, wordExpander } from '../instructions/expand-instruction.ts';
import { readExposedPorts } from '../instructions/exposed-ports.ts';
import type {
  AddInstruction,
  ArgInstruction,
  CmdInstruction,
  CopyInstruction,
  EntrypointInstruction,
  EnvInstruction,
  ExposeInstruction,
  Instruction,
  LabelInstruction,
  WorkdirInstruction,
} from '../instructions/instruction.ts';
import { didYouMean } from '../instructions/suggest.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';
import type { CheckReport } from './check-report.ts';

/** What a stage hands on to those that start from it, as far as rules ask for it. */
export interface StageState {
  readonly variables: Map<string, string>;
  /** ARGs that were declared, with or without a value. */
  readonly declared: Set<string>;
  hasShell: boolean;
  hasWorkdir: boolean;
  /** False where the base image's environment isn't known: no variable can then be called undefined. */
  readonly environmentKnown: boolean;
}

export interface StageCheckOptions {
  readonly escapeToken: EscapeToken;
  readonly globals: GlobalArgs;
  readonly buildArgs: BuildArgs;
  readonly ignored: PatternMatcher | undefined;
  readonly report: CheckReport;
}

/** The rules that follow a stage from instruction to instruction. @throws DockerfileError where the build would fail. */
export function checkStage(
  instructions: readonly Instruction[],
  state: StageState,
  options: StageCheckOptions,
): void {
  new StageChecker(state, options).check(instructions);
}

type Repeatable = 'cmd' | 'entrypoint' | 'healthcheck';

class StageChecker {
  readonly #state: StageState;
  readonly #options: StageCheckOptions;
  readonly #report: CheckReport;
  readonly #last = new Map<Repeatable, Instruction>();

  constructor(state: StageState, options: StageCheckOptions) {
    this.#state = state;
    this.#options = options;
    this.#report = options.report;
  }

  check(instructions: readonly Instruction[]): void {
    for (const instruction of instructions) {
      const expander = wordExpander(this.#state.variables, {
        escapeToken: this.#options.escapeToken,
        onUnmatched: (names) => this.#checkUndefined(names, instruction),
      });
      if (instruction.kind === 'run') readMounts(instruction, expander);
      this.#checkOne(expandInstruction(instruction, expander));
    }
  }

  #checkOne(instruction: Instruction): void {
    switch (instruction.kind) {
      case 'arg':
        return this.#checkArg(instruction);
      case 'env':
        return this.#checkEnv(instruction);
      case 'label':
        return this.#checkLegacy(instruction, instruction.labels);
      case 'cmd':
      case 'entrypoint':
        return this.#checkCommand(instruction);
      case 'healthcheck':
        return this.#checkRepeated(instruction.kind, instruction);
      case 'shell':
        this.#state.hasShell = instruction.shell.length > 0;
        return;
      case 'workdir':
        return this.#checkWorkdir(instruction);
      case 'expose':
        return this.#checkExpose(instruction);
      case 'copy':
      case 'add':
        return this.#checkTransfer(instruction);
      default:
    }
  }

  #checkUndefined(names: ReadonlySet<string>, instruction: Instruction): void {
    const { variables, declared, environmentKnown } = this.#state;
    if (!environmentKnown) return;
    for (const name of names) {
      if (declared.has(name) || SETTING_ARGS.has(name)) continue;
      const near = didYouMean(name, [...variables.keys()]).replace('did you mean ', 'did you mean $');
      this.#report.add('UndefinedVar', instruction, `Usage of undefined variable '$${name}'${near}`);
    }
  }

  #checkArg(instruction: ArgInstruction): void {
    const { globals, buildArgs, escapeToken } = this.#options;
    for (const arg of instruction.args) {
      this.#checkSecret('ARG', arg.key, instruction);
      const value = declareArg(arg, {
        globals: globals.variables,
        buildArgs,
        variables: this.#state.variables,
        escapeToken,
        range: instruction.range,
        onUnmatched: (names) => this.#checkUndefined(names, instruction),
      });
      if (value !== undefined && !SETTING_ARGS.has(arg.key)) this.#state.variables.set(arg.key, value);
      this.#state.declared.add(arg.key);
    }
  }

  #checkEnv(instruction: EnvInstruction): void {
    for (const pair of instruction.env) {
      this.#checkLegacy(instruction, [pair]);
      this.#checkSecret('ENV', pair.key, instruction);
      this.#state.variables.set(pair.key, pair.value);
    }
  }

  #checkLegacy(instruction: EnvInstruction | LabelInstruction, pairs: EnvInstruction['env']): void {
    const { keyword } = instruction;
    for (const { legacy } of pairs) {
      if (!legacy) continue;
      const detail = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
      this.#report.add('LegacyKeyValueFormat', instruction, detail);
    }
  }

  #checkSecret(keyword: string, key: string, instruction: Instruction): void {
    if (!soundsSecret(key)) return;
    const detail = `Do not use ARG or ENV instructions for sensitive data (${keyword} ${quote(key)})`;
    this.#report.add('SecretsUsedInArgOrEnv', instruction, detail);
  }

  #checkCommand(instruction: CmdInstruction | EntrypointInstruction): void {
    this.#checkRepeated(instruction.kind, instruction);
    if (!instruction.prependShell || this.#state.hasShell) return;
    const fault = 'to prevent unintended behavior related to OS signals';
    this.#report.add(
      'JSONArgsRecommended',
      instruction,
      `JSON arguments recommended for ${instruction.keyword} ${fault}`,
    );
  }

  /** It is the earlier one that has no effect. */
  #checkRepeated(kind: Repeatable, instruction: Instruction): void {
    const earlier = this.#last.get(kind);
    this.#last.set(kind, instruction);
    if (earlier === undefined) return;
    const fault = 'should not be used in the same stage because only the last one will be used';
    const place = { range: earlier.range, comments: instruction.comments };
    this.#report.add(
      'MultipleInstructionsDisallowed',
      place,
      `Multiple ${instruction.keyword} instructions ${fault}`,
    );
  }

  #checkWorkdir(instruction: WorkdirInstruction): void {
    const { path } = instruction;
    if (!this.#state.hasWorkdir && !path.startsWith('/')) {
      const detail = `Relative workdir ${quote(path)} can have unexpected results if the base image changes`;
      this.#report.add('WorkdirRelativePath', instruction, detail);
    }
    this.#state.hasWorkdir = true;
  }

  #checkExpose(instruction: ExposeInstruction): void {
    const words = readExposedPorts(instruction, this.#state.variables, this.#options.escapeToken);
    for (const { text, protocol, hasHostPart } of words) {
      if (protocol !== protocol.toLowerCase()) {
        const detail = `Defined protocol '${text}' in EXPOSE instruction should be lowercase`;
        this.#report.add('ExposeProtoCasing', instruction, detail);
      }
      if (hasHostPart) {
        const fault = 'EXPOSE instruction should not define an IP address or host-port mapping, found';
        this.#report.add('ExposeInvalidFormat', instruction, `${fault} '${text}'`);
      }
    }
  }

  /** With an exception among the patterns, whether a source is left out can't be told without its files. */
  #checkTransfer(instruction: CopyInstruction | AddInstruction): void {
    const { ignored } = this.#options;
    if (ignored === undefined || ignored.hasNegated) return;
    if (instruction.kind === 'copy' && instruction.from !== '') return;
    const verb = instruction.kind === 'copy' ? 'Copy' : 'Add';
    for (const source of instruction.sources.filter((each) => !isRemote(each))) {
      const path = cleanPath(source);
      const isRoot = path === '.' || path === '/';
      if (isRoot ? !ignoresAll(ignored) : !ignored.matches(path)) continue;
      const detail = `Attempting to ${verb} file ${quote(path)} that is excluded by .dockerignore`;
      this.#report.add('CopyIgnoredFile', instruction, detail);
    }
  }
}

function ignoresAll(ignored: PatternMatcher): boolean {
  return (
    ignored.patterns.some(({ text }) => text === '*' || text === '**' || text === '**/*') &&
    ignored.matches('.')
  );
}

function isRemote(source: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^git@|^github\.com\//.test(source);
}

const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS = /(?:_|^)(?:public|file|version)(?:_|$)/i;

/** Whole words of a name tell: `API_KEY`, `token`, but not `PUBLIC_KEY` or `MONKEY`. */
function soundsSecret(key: string): boolean {
  return SECRET.test(key) && !HARMLESS.test(key);
}
