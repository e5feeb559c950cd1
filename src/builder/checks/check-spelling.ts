import { quote } from '../../wire/quote.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import type { ArgInstruction, Stage } from '../instructions/instruction.ts';
import type { CheckPlace, CheckReport } from './check-report.ts';

const isLower = (word: string): boolean => word === word.toLowerCase();
const isUpper = (word: string): boolean => word === word.toUpperCase();

/** Rules that look at one instruction at a time: NoEmptyContinuation, FROM's casing, comments, MAINTAINER. */
export function checkEachSpelling(dockerfile: Dockerfile, report: CheckReport): void {
  const { warnings, metaArgs, stages } = dockerfile;
  for (const { range } of warnings) report.add('NoEmptyContinuation', { range }, 'Empty continuation line');
  for (const arg of metaArgs) checkArgComment(arg, report);
  for (const stage of stages) {
    checkFromSpelling(stage, report);
    for (const each of stage.instructions) {
      if (each.kind === 'arg') checkArgComment(each, report);
      if (each.kind === 'maintainer') {
        const detail = 'Maintainer instruction is deprecated in favor of using label';
        report.add('MaintainerDeprecated', each, detail);
      }
    }
  }
}

/** Rules that compare instructions with each other: names of stages, casing of keywords. */
export function checkSpellingOverall({ stages }: Dockerfile, report: CheckReport): void {
  checkStageNames(stages, report);
  checkKeywordCasing(stages, report);
}

function checkFromSpelling(stage: Stage, report: CheckReport): void {
  const { spelledName, keyword } = stage;
  if (!isLower(spelledName)) {
    report.add('StageNameCasing', stage, `Stage name '${spelledName}' should be lowercase`);
  }
  if (spelledName === '') return;
  const as = asWord(stage);
  const matches = isLower(keyword) ? isLower(as) : !isUpper(keyword) || isUpper(as);
  if (!matches) report.add('FromAsCasing', stage, `'${as}' and '${keyword}' keywords' casing do not match`);
  checkComment('FROM', [stage.name], stage, report);
}

/** The AS of `FROM … AS name`: the last word but one. */
function asWord({ code }: Stage): string {
  return code.split(/[\t\v\f\r ]+/).at(-2) ?? 'AS';
}

function checkArgComment(arg: ArgInstruction, report: CheckReport): void {
  checkComment(
    'ARG',
    arg.args.map(({ key }) => key),
    arg,
    report,
  );
}

/** The last comment above is a description, and describes one of `names`. */
function checkComment(
  keyword: string,
  names: readonly string[],
  place: CheckPlace,
  report: CheckReport,
): void {
  const comment = place.comments?.at(-1);
  const [first = ''] = names;
  if (comment === undefined || names.includes(comment.split(' ')[0] ?? '')) return;
  const example = names.length > 1 ? '<arg_key>' : first;
  const detail = `Comment for ${keyword} should follow the format: \`# ${example} <description>\``;
  report.add('InvalidDefinitionDescription', place, detail);
}

/** Names that mean something else in `--from` and `--build-context`. */
const RESERVED = ['context', 'scratch'];

function checkStageNames(stages: readonly Stage[], report: CheckReport): void {
  const seen = new Set<string>();
  for (const { name, range } of stages) {
    if (name === '') continue;
    if (RESERVED.includes(name)) {
      const detail = `Stage name should not use the same name as reserved stage ${quote(name)}`;
      report.add('ReservedStageName', { range }, detail);
    }
    if (seen.has(name)) {
      const detail = `Duplicate stage name ${quote(name)}, stage names should be unique`;
      report.add('DuplicateStageName', { range }, detail);
    }
    seen.add(name);
  }
}

function checkKeywordCasing(stages: readonly Stage[], report: CheckReport): void {
  const places = stages.flatMap((stage) => [stage, ...stage.instructions]);
  const keywords = places.map(({ keyword }) => keyword);
  const lower = keywords.filter(isLower).length;
  const upper = keywords.filter((word) => isUpper(word) && !isLower(word)).length;
  const [fits, majority] = lower > upper ? [isLower, 'lowercase'] : [isUpper, 'uppercase'];
  for (const { keyword, range } of places) {
    if (fits(keyword)) continue;
    const detail = `Command '${keyword}' should match the case of the command majority (${majority})`;
    report.add('ConsistentInstructionCasing', { range }, detail);
  }
}
