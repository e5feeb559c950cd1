import type { PatternMatcher } from '../../archive/pattern-matcher.ts';
import type { Platform } from '../../oci/platform.ts';
import { type BuildArgs, globalArgs, platformArgs } from '../expansion/arg-scope.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import { type ExpandedFrom, expandFrom } from '../instructions/expand-from.ts';
import { readInstructions } from '../instructions/read-instructions.ts';
import {
  findTarget,
  lastChildren,
  resolveStageNames,
  type StageSource,
} from '../instructions/stage-names.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import type { ParsedDockerfile } from '../parser/parsed-dockerfile.ts';
import { checkDefaultBases, checkFromPlatform, checkUndefinedArgs } from './check-from.ts';
import { CheckReport, type CheckWarning } from './check-report.ts';
import { type CheckSettings, parseCheckSettings } from './check-settings.ts';
import { checkEachSpelling, checkSpellingOverall } from './check-spelling.ts';
import { checkStage, type StageState } from './check-stage.ts';

/** What an image's config tells the rules. */
export interface BaseImage {
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly hasShell: boolean;
}

export interface CheckOptions {
  readonly buildPlatform: Platform;
  readonly targetPlatform: Platform;
  readonly buildArgs: BuildArgs;
  /** The stage that is built, '' for the last. */
  readonly target: string;
  /** `.dockerignore`; undefined without one. */
  readonly ignored?: PatternMatcher;
  /** Instead of what the file's `# check=` says. */
  readonly settings?: string;
  /** The images that stages start from, as far as they are known: by name, variables put in. */
  readonly baseImages: ReadonlyMap<string, BaseImage>;
  /** Indexes of the stages to follow; all without it, as `--check` does without a target. */
  readonly stages?: ReadonlySet<number>;
}

export interface CheckResult {
  readonly warnings: readonly CheckWarning[];
  /** Why the build would fail, as far as the file alone tells; with `error=true` also the warnings. */
  readonly error: DockerfileError | undefined;
}

/** What `docker build --check` finds. Never throws on a Dockerfile, however bad. */
export function checkDockerfile(source: Uint8Array | string, options: CheckOptions): CheckResult {
  let report: CheckReport | undefined;
  try {
    const parsed = parseDockerfile(source);
    report = new CheckReport(settingsOf(parsed, options.settings));
    runRules(readForChecks(parsed, report), options, report);
    return { warnings: report.warnings, error: report.violation };
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    return { warnings: report?.warnings ?? [], error };
  }
}

/** Where an instruction can't be understood, those before it are still looked at, one by one. */
function readForChecks(parsed: ParsedDockerfile, report: CheckReport): Dockerfile {
  try {
    return readInstructions(parsed);
  } catch (error) {
    const line = error instanceof DockerfileError ? (error.range?.startLine ?? 0) : 0;
    const nodes = parsed.nodes.filter(({ range }) => range.startLine < line);
    if (nodes.some(({ keyword }) => keyword.toLowerCase() === 'from')) {
      checkEachSpelling(readInstructions({ ...parsed, nodes }), report);
    }
    throw error;
  }
}

/** The rules of a file that a build has read already. @throws DockerfileError where the build would fail too. */
export function runRules(dockerfile: Dockerfile, options: CheckOptions, report: CheckReport): void {
  const { stages, metaArgs, escapeToken } = dockerfile;
  checkEachSpelling(dockerfile, report);
  checkSpellingOverall(dockerfile, report);
  const { buildArgs, target } = options;
  const targetStage = target === '' ? (stages.at(-1)?.name ?? '') : target;
  const predefined = platformArgs({ ...options, targetStage });
  checkDefaultBases(dockerfile, { predefined, escapeToken }, report);
  const globals = globalArgs(metaArgs, { predefined, buildArgs, escapeToken });
  const bases = stages.map((stage) => {
    const onUnmatched = (names: ReadonlySet<string>): void =>
      checkUndefinedArgs(stage, names, globals, report);
    const from = expandFrom(stage, { variables: globals.variables, escapeToken, onUnmatched });
    checkFromPlatform(stage, from, globals, report);
    return from;
  });
  findTarget(stages, target);
  const links = resolveStageNames(
    stages,
    bases.map(({ base }) => base.result),
    escapeToken,
  );
  const states = new Map<number, StageState>();
  const last = lastChildren(links.map(({ base }, index) => ({ index, base })));
  for (const [index, stage] of stages.entries()) {
    const base = links[index]?.base;
    const state = startOf(bases[index], base, states, options);
    if (last.has(index)) states.set(index, state);
    if (base?.kind === 'stage' && last.get(base.index) === index) states.delete(base.index);
    if (options.stages?.has(index) === false) continue;
    const { ignored } = options;
    checkStage(stage.instructions, state, { escapeToken, globals, buildArgs, ignored, report });
  }
}

export function settingsOf(parsed: ParsedDockerfile, given: string | undefined): CheckSettings {
  const directive = parsed.directives.find(({ name }) => name === 'check');
  return parseCheckSettings(given ?? directive?.value ?? '');
}

function startOf(
  from: ExpandedFrom | undefined,
  base: StageSource | undefined,
  states: ReadonlyMap<number, StageState>,
  { baseImages }: CheckOptions,
): StageState {
  const parent = base?.kind === 'stage' ? states.get(base.index) : undefined;
  if (parent !== undefined) {
    return { ...parent, variables: new Map(parent.variables), declared: new Set(parent.declared) };
  }
  const image = baseImages.get(from?.base.result ?? '');
  const pairs = (image?.env ?? []).map((pair): [string, string] => {
    const at = pair.indexOf('=');
    return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
  });
  return {
    variables: new Map([['PATH', ''], ...pairs]),
    declared: new Set(),
    hasShell: image?.hasShell ?? false,
    hasWorkdir: false,
    environmentKnown: base?.kind === 'scratch' || image !== undefined,
  };
}
