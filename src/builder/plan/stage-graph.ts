import type { Platform } from '../../oci/platform.ts';
import { parseReference } from '../../oci/reference.ts';
import { quote } from '../../wire/quote.ts';
import { type DockerfileLines } from '../build-error.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import { expandFrom } from '../instructions/expand-from.ts';
import type { Instruction, Stage } from '../instructions/instruction.ts';
import { displayName, resolveStageNames, type StageSource } from '../instructions/stage-names.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';

/** More stages than any Dockerfile needs, few enough to be planned at once. */
export const MAX_STAGES = 2000;

const SCRATCH: StageSource = { kind: 'scratch' };

export interface StageNode {
  index: number;
  stage: Stage;
  base: StageSource;
  /** `--platform`; undefined without one. */
  platform: Platform | undefined;
  /** As progress and errors call it: its name or `stage-N`; '' where there is only one. */
  title: string;
  /** Stages it needs, by index: its base, `COPY --from`, `RUN --mount=from`. */
  needs: ReadonlySet<number>;
}

/**
 * The stages as a graph.
 *
 * @throws DockerfileError in BuildKit's words: cycles, blank or malformed base names, wrong numbers, too many stages.
 */
export function linkStages(dockerfile: Dockerfile, variables: ReadonlyMap<string, string>): StageNode[] {
  const { stages } = dockerfile;
  if (stages.length > MAX_STAGES)
    throw new DockerfileError(
      `Cannot build a Dockerfile of ${stages.length} stages: at most ${MAX_STAGES} are taken`,
    );
  const isTitled = stages.length > 1 || stages.some((stage) => stage.instructions.some(readsElsewhere));
  const { escapeToken } = dockerfile;
  const froms = stages.map((stage) => expandFrom(stage, { variables, escapeToken }));
  const bases = froms.map(({ base }) => base.result);
  const links = resolveStageNames(stages, bases, escapeToken);
  const nodes = stages.map((stage, index): StageNode => {
    const base = links[index]?.base ?? SCRATCH;
    const sources = [...(links[index]?.sources.values() ?? [])].flat();
    if (base.kind === 'image') checkImageName(base.name, stage);
    const needs = new Set(
      [base, ...sources].flatMap((source) => (source.kind === 'stage' ? [source.index] : [])),
    );
    const title = stage.name === '' && !isTitled ? '' : displayName(stage, index);
    return { index, stage, base, platform: froms[index]?.platform, title, needs };
  });
  refuseCycles(nodes);
  return nodes;
}

function readsElsewhere(instruction: Instruction): boolean {
  return instruction.kind === 'run' && instruction.mounts.length > 0;
}

function checkImageName(name: string, { range }: Stage): void {
  try {
    parseReference(name);
  } catch (cause) {
    const message = `failed to parse stage name ${quote(name)}: invalid reference format`;
    throw new DockerfileError(message, range, { cause });
  }
}

/** @throws DockerfileError in BuildKit's words. */
export function refuseCycles(nodes: readonly StageNode[]): void {
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
  const title = node === undefined ? String(index) : displayName(node.stage, index);
  return new DockerfileError(`circular dependency detected on stage: ${title}`, node?.stage.range);
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
