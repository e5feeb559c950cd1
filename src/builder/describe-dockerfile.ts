import { hostPlatform } from '../oci/platform.ts';
import type { BuildRequest } from './build-request.ts';
import { declareArg, globalArgs, platformArgs } from './expansion/arg-scope.ts';
import { expandWord } from './expansion/expand-word.ts';
import type { Dockerfile } from './instructions/dockerfile.ts';
import type { Instruction, Stage } from './instructions/instruction.ts';
import { readRunMount } from './instructions/run-mount.ts';
import { findTarget } from './instructions/stage-names.ts';
import type { SourceRange } from './parser/source-range.ts';
import { linkStages, neededStages } from './plan/stage-graph.ts';
import { textTable } from './text-table.ts';

/** An answer to a question about a Dockerfile, in BuildKit's JSON and in its words. */
interface Description {
  json: object;
  text: string;
}

type Described = Pick<BuildRequest, 'target' | 'buildArgs' | 'platforms'>;

interface Named {
  name: string;
  required?: boolean;
  description?: string;
  value?: string;
  location: object;
}

/** Answers by the names of a frontend's result. @throws DockerfileError. */
export function describeDockerfile(
  dockerfile: Dockerfile,
  request: Described & { describe: 'outline' | 'targets' },
  source: Uint8Array,
): Record<string, string> {
  const { json, text } =
    request.describe === 'targets'
      ? describeTargets(dockerfile, source)
      : describeOutline(dockerfile, request, source);
  return { 'result.json': JSON.stringify(json, undefined, 2), 'result.txt': text, version: '1.0.0' };
}

/** What can be built (`--call=targets`). */
function describeTargets({ stages }: Dockerfile, source: Uint8Array): Description {
  const targets = stages.map((stage, at) => ({
    ...(stage.name === '' ? {} : { name: stage.name }),
    ...(at === stages.length - 1 ? { default: true } : {}),
    ...(stage.docComment === '' ? {} : { description: stage.docComment }),
    base: stage.base,
    ...(stage.platform === '' ? {} : { platform: stage.platform }),
    location: locationOf(stage.range),
  }));
  const rows = stages.map((stage, at): string[] => {
    const isDefault = at === stages.length - 1;
    const name =
      stage.name === '' ? (isDefault ? '(default)' : '') : `${stage.name}${isDefault ? ' (default)' : ''}`;
    return [name, stage.docComment];
  });
  const shown = rows.filter(([name]) => name !== '');
  return {
    json: { targets, sources: [base64(source)] },
    text: textTable([['TARGET', 'DESCRIPTION'], ...shown], 1),
  };
}

/** What a target's build can be given (`--call=outline`). @throws DockerfileError. */
function describeOutline(dockerfile: Dockerfile, request: Described, source: Uint8Array): Description {
  const [targetPlatform = hostPlatform()] = request.platforms;
  const { buildArgs } = request;
  const targetStage = request.target === '' ? (dockerfile.stages.at(-1)?.name ?? '') : request.target;
  const { escapeToken } = dockerfile;
  const predefined = platformArgs({ buildPlatform: hostPlatform(), targetPlatform, targetStage, buildArgs });
  const globals = globalArgs(dockerfile.metaArgs, { predefined, buildArgs, escapeToken }).variables;
  const nodes = linkStages(dockerfile, globals);
  const target = nodes[findTarget(dockerfile.stages, request.target)];
  const stages = target === undefined ? [] : neededStages(nodes, target).map(({ stage }) => stage);
  const scope = { dockerfile, globals, buildArgs };
  const args = byLine([...usedGlobals(stages, scope), ...stages.flatMap((stage) => stageArgs(stage, scope))]);
  const mounts = stages.flatMap((stage) => stage.instructions.flatMap(mountsOf));
  const secrets = byLine(mounts.filter(({ type }) => type === 'secret').map(({ named }) => named));
  const ssh = byLine(mounts.filter(({ type }) => type === 'ssh').map(({ named }) => named));
  const { name = '', docComment = '' } = target?.stage ?? {};
  const head = {
    ...(name === '' ? {} : { name }),
    ...(docComment === '' ? {} : { description: docComment }),
  };
  const list = (key: string, found: Named[]): object => (found.length === 0 ? {} : { [key]: found });
  return {
    json: {
      ...head,
      ...list('args', args),
      ...list('secrets', secrets),
      ...list('ssh', ssh),
      sources: [base64(source)],
    },
    text: [
      ...(name === '' && docComment === ''
        ? []
        : [
            textTable(
              [
                ['TARGET:', name || '(default)'],
                ...(docComment === '' ? [] : [['DESCRIPTION:', docComment]]),
              ],
              1,
            ),
          ]),
      ...(args.length === 0
        ? []
        : [
            textTable([
              ['BUILD ARG', 'VALUE', 'DESCRIPTION'],
              ...args.map((one) => [one.name, one.value ?? '', one.description ?? '']),
            ]),
          ]),
      ...requirements('SECRET', secrets),
      ...requirements('SSH', ssh),
    ]
      .map((table) => `${table}\n`)
      .join(''),
  };
}

interface Scope {
  dockerfile: Dockerfile;
  globals: ReadonlyMap<string, string>;
  buildArgs: BuildRequest['buildArgs'];
}

/** ARGs above the first FROM that a FROM asks for, by way of others too. */
function usedGlobals(stages: readonly Stage[], { dockerfile, globals }: Scope): Named[] {
  const { escapeToken, metaArgs } = dockerfile;
  const used = new Set<string>();
  const look = (text: string): void => {
    const onLookUp = (name: string): unknown => used.add(name);
    expandWord(text, globals, { escapeToken, onLookUp });
  };
  for (const { base, platform } of stages) for (const text of [base, platform]) look(text);
  for (const { args } of metaArgs.toReversed())
    for (const { key, value } of args) if (used.has(key) && value !== undefined) look(value);
  return metaArgs.flatMap(({ args, range }) =>
    args
      .filter(({ key }) => used.has(key))
      .map(({ key, docComment }) => namedArg({ key, docComment, range, value: globals.get(key) })),
  );
}

function stageArgs(stage: Stage, { dockerfile, globals, buildArgs }: Scope): Named[] {
  const variables = new Map<string, string>();
  const { escapeToken } = dockerfile;
  return stage.instructions.flatMap((instruction) => {
    if (instruction.kind !== 'arg') return [];
    const { range, args } = instruction;
    return args.map((arg) => {
      const value = declareArg(arg, { globals, buildArgs, variables, escapeToken, range });
      if (value !== undefined) variables.set(arg.key, value);
      return namedArg({ key: arg.key, docComment: arg.docComment, range, value });
    });
  });
}

function namedArg(arg: {
  key: string;
  docComment: string;
  range: SourceRange;
  value: string | undefined;
}): Named {
  const { key: name, docComment: description, range, value = '' } = arg;
  return {
    name,
    ...(description === '' ? {} : { description }),
    ...(value === '' ? {} : { value }),
    location: locationOf(range),
  };
}

function mountsOf(instruction: Instruction): { type: string; named: Named }[] {
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap((text) => {
    const { type, id, source, target, required } = readRunMount(text, (word) => word);
    if (type !== 'secret' && type !== 'ssh') return [];
    const name = id || source || (type === 'ssh' ? 'default' : (target.split('/').at(-1) ?? ''));
    const location = locationOf(instruction.range);
    return [{ type, named: { name, ...(required ? { required } : {}), location } }];
  });
}

function requirements(title: string, found: readonly Named[]): string[] {
  if (found.length === 0) return [];
  return [
    textTable([[title, 'REQUIRED'], ...found.map(({ name, required }) => [name, required ? 'true' : ''])]),
  ];
}

/** Each name once, where it comes first. */
function byLine(found: readonly Named[]): Named[] {
  const lineOf = ({ location }: Named): number =>
    (location as ReturnType<typeof locationOf>).ranges[0]?.start.line ?? 0;
  const sorted = found.toSorted((a, b) => lineOf(a) - lineOf(b));
  return [...new Map(sorted.toReversed().map((one) => [one.name, one])).values()].toSorted(
    (a, b) => lineOf(a) - lineOf(b),
  );
}

function locationOf({ startLine, endLine }: SourceRange) {
  return { ranges: [{ start: { line: startLine }, end: { line: endLine } }] };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
