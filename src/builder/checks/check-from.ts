import { EngineError } from '../../errors/engine-error.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { parseReference } from '../../oci/reference.ts';
import { quote } from '../../wire/quote.ts';
import { type GlobalArgs, type GlobalArgsOptions, globalArgs } from '../expansion/arg-scope.ts';
import { type ExpandedWord, expandWord } from '../expansion/expand-word.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import type { ExpandedFrom } from '../instructions/expand-from.ts';
import type { Stage } from '../instructions/instruction.ts';
import { didYouMean } from '../instructions/suggest.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { CheckReport } from './check-report.ts';

/** InvalidDefaultArgInFrom: does every base have a name without any `--build-arg`? */
export function checkDefaultBases(
  { metaArgs, stages, escapeToken }: Dockerfile,
  options: Omit<GlobalArgsOptions, 'buildArgs'>,
  report: CheckReport,
): void {
  try {
    const { variables } = globalArgs(metaArgs, { ...options, buildArgs: new Map() });
    for (const { base, range } of stages) {
      const { result } = expandWord(base, variables, { escapeToken });
      if (isReference(result)) continue;
      const detail = `Default value for ARG ${base} results in empty or invalid base image name`;
      report.add('InvalidDefaultArgInFrom', { range }, detail);
    }
  } catch (error) {
    // What can't be expanded fails the build, later and with its own words.
    if (!(error instanceof DockerfileError)) throw error;
  }
}

/** RedundantTargetPlatform, FromPlatformFlagConstDisallowed. */
export function checkFromPlatform(
  stage: Stage,
  from: ExpandedFrom,
  globals: GlobalArgs,
  report: CheckReport,
): void {
  const word = from.platformWord;
  if (word === undefined) return;
  checkRedundantPlatform(stage, word, globals, report);
  checkConstantPlatform(stage, word, report);
}

/** UndefinedArgInFrom: a FROM asked for `names`, which nobody set. */
export function checkUndefinedArgs(
  stage: Stage,
  names: ReadonlySet<string>,
  { declared, variables }: GlobalArgs,
  report: CheckReport,
): void {
  const known = [...declared.union(new Set(variables.keys()))];
  for (const name of names) {
    if (known.includes(name)) continue;
    const detail = `FROM argument '${name}' is not declared${didYouMean(name, known)}`;
    report.add('UndefinedArgInFrom', stage, detail);
  }
}

function checkRedundantPlatform(
  stage: Stage,
  word: ExpandedWord,
  globals: GlobalArgs,
  report: CheckReport,
): void {
  const { matched, unmatched, result } = word;
  if (matched.size !== 1 || unmatched.size > 0 || !matched.has('TARGETPLATFORM')) return;
  if (result !== globals.variables.get('TARGETPLATFORM')) return;
  const fault = 'in FROM is redundant as this is the default behavior';
  report.add('RedundantTargetPlatform', stage, `Setting platform to predefined ${stage.platform} ${fault}`);
}

function checkConstantPlatform(stage: Stage, word: ExpandedWord, report: CheckReport): void {
  if (word.matched.size > 0 || word.unmatched.size > 0) return;
  const { os, architecture } = parsePlatform(word.result);
  // A stage that is named after the platform means it.
  if (stage.name.includes(os) || stage.name.includes(architecture)) return;
  const detail = `FROM --platform flag should not use constant value ${quote(word.result)}`;
  report.add('FromPlatformFlagConstDisallowed', stage, detail);
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}
