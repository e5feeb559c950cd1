import { parseReference } from '../../oci/reference.ts';
import { type DockerfileLines } from '../build-error.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import type { Instruction, Stage } from '../instructions/instruction.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';

/** More stages than any Dockerfile needs, few enough to be planned at once. */
export const MAX_STAGES = 2000;

/** Where a stage or a `from=` begins. */
export type StageBase =
  | { kind: 'stage'; index: number }
  | { kind: 'scratch' }
  /** `name` as written, variables in. */
  | { kind: 'image'; name: string };

export interface StageNode {
  index: number;
  stage: Stage;
  base: StageBase;
  /** `--platform`, expanded; '' without one. */
  platform: string;
  /** As progress and errors call it: its name or `stage-N`; '' where there is only one. */
  title: string;
  /** Stages it needs, by index: its base, `COPY --from`, `RUN --mount=from`. */
  needs: ReadonlySet<number>;
}

/** What a FROM line's variables are expanded with. */
export interface FromExpander {
  base(text: string): string;
  platform(text: string): string;
}

/** Where a `from=` leads: a stage (also a later one), by name or number, or an image. @throws DockerfileError. */
export function findSource(name: string, stages: readonly Stage[]): StageBase {
  if (/^[+-]?\d+$/.test(name)) {
    const index = Number(name);
    if (index < 0 || index >= stages.length) throw new DockerfileError(`invalid stage index ${index}`);
    return { kind: 'stage', index };
  }
  const index = stages.findLastIndex((stage) => stage.name !== '' && stage.name === name.toLowerCase());
  if (index >= 0) return { kind: 'stage', index };
  return name === 'scratch' ? { kind: 'scratch' } : { kind: 'image', name };
}

/**
 * The stages as a graph.
 *
 * @throws DockerfileError in BuildKit's words: cycles, blank or malformed base names, wrong numbers, too many stages.
 */
export function linkStages(dockerfile: Dockerfile, expand: FromExpander): StageNode[] {
  const { stages } = dockerfile;
  if (stages.length > MAX_STAGES)
    throw new DockerfileError(
      `Cannot build a Dockerfile of ${stages.length} stages: at most ${MAX_STAGES} are taken`,
    );
  const isTitled = stages.length > 1 || stages.some((stage) => stage.instructions.some(readsElsewhere));
  const byName = new Map<string, number>();
  const nodes = stages.map((stage, index): StageNode => {
    const base = baseOf(stage, byName, expand);
    if (stage.name !== '') byName.set(stage.name, index);
    const needs = new Set(stage.instructions.flatMap((instruction) => neededBy(instruction, stages)));
    if (base.kind === 'stage') needs.add(base.index);
    const platform = stage.platform === '' ? '' : expand.platform(stage.platform);
    const title = stage.name === '' && isTitled ? `stage-${index}` : stage.name;
    return { index, stage, base, platform, title, needs };
  });
  refuseCycles(nodes);
  return nodes;
}

function readsElsewhere(instruction: Instruction): boolean {
  return instruction.kind === 'run' && instruction.mounts.length > 0;
}

/** Only earlier stages count. */
function baseOf(stage: Stage, byName: ReadonlyMap<string, number>, expand: FromExpander): StageBase {
  const name = expand.base(stage.base);
  if (name === '') throw new DockerfileError(`base name (${stage.base}) should not be blank`, stage.range);
  const index = byName.get(name.toLowerCase());
  if (index !== undefined) return { kind: 'stage', index };
  if (name === 'scratch') return { kind: 'scratch' };
  try {
    parseReference(name);
  } catch (error) {
    throw new DockerfileError(
      `failed to parse stage name ${JSON.stringify(name)}: invalid reference format`,
      stage.range,
      {
        cause: error,
      },
    );
  }
  return { kind: 'image', name };
}

function neededBy(instruction: Instruction, stages: readonly Stage[]): number[] {
  return fromsOf(instruction).flatMap((from) => {
    const source = findSource(from, stages);
    return source.kind === 'stage' ? [source.index] : [];
  });
}

/** What an instruction takes files from besides the context; mounts before their variables are known. */
export function fromsOf(instruction: Instruction): string[] {
  if (instruction.kind === 'copy') return instruction.from === '' ? [] : [instruction.from];
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap((mount) => {
    const from = /(?:^|,)\s*from=(?<from>[^,]+)/.exec(mount)?.groups?.['from']?.trim();
    return from === undefined || from.includes('$') ? [] : [from];
  });
}

function refuseCycles(nodes: readonly StageNode[]): void {
  const state = new Map<number, 'open' | 'done'>();
  for (const { index: root } of nodes) {
    const path: { index: number; left: number[] }[] = [];
    const enter = (index: number): void => {
      state.set(index, 'open');
      path.push({ index, left: [...(nodes[index]?.needs ?? [])] });
    };
    if (!state.has(root)) enter(root);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = top.left.pop();
      if (next === undefined) {
        state.set(top.index, 'done');
        path.pop();
      } else if (state.get(next) === 'open') throw cycle(nodes, next);
      else if (!state.has(next)) enter(next);
    }
  }
}

function cycle(nodes: readonly StageNode[], index: number): DockerfileError {
  const node = nodes[index];
  const title = node === undefined ? String(index) : node.stage.name || node.title || String(index);
  return new DockerfileError(`circular dependency detected on stage: ${title}`, node?.stage.range);
}

/** The stage that `--target` means: a name, or a number. '' is the last. @throws DockerfileError. */
export function findTarget(nodes: readonly StageNode[], target: string): StageNode {
  const byName = nodes.findLast(({ stage }) => stage.name !== '' && stage.name === target.toLowerCase());
  const found =
    target === '' ? nodes.at(-1) : (byName ?? (/^\d+$/.test(target) ? nodes[Number(target)] : undefined));
  if (found === undefined)
    throw new DockerfileError(`target stage ${JSON.stringify(target)} could not be found`);
  return found;
}

/** What `target` needs, itself among it, in an order in which each comes after what it needs. */
export function neededStages(nodes: readonly StageNode[], target: StageNode): StageNode[] {
  const seen = new Set<number>();
  const order: StageNode[] = [];
  const path: { node: StageNode; left: number[] }[] = [];
  const enter = (node: StageNode): void => {
    seen.add(node.index);
    path.push({ node, left: [...node.needs].sort((a, b) => b - a) });
  };
  enter(target);
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const next = top.left.pop();
    if (next === undefined) {
      order.push(top.node);
      path.pop();
      continue;
    }
    const node = nodes[next];
    if (node !== undefined && !seen.has(next)) enter(node);
  }
  return order;
}

export function linesOf(range: { startLine: number; endLine: number }): DockerfileLines {
  return { start: range.startLine, end: range.endLine };
}
