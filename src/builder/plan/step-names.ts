import { formatPlatform } from '../../oci/platform.ts';
import type { Instruction } from '../instructions/instruction.ts';
import type { PlanOptions } from './build-plan.ts';
import type { StageNode } from './stage-graph.ts';

/** How many of a stage's instructions make layers, its FROM among them. */
export function totalSteps(node: StageNode, instructions: readonly Instruction[]): number {
  const makes = ['add', 'copy', 'run', 'workdir'];
  const own = instructions.filter(({ kind }) => makes.includes(kind)).length;
  return own + (node.base.kind === 'image' ? 1 : 0);
}

/** `[linux/amd64 build  2/12] ` */
export function stagePrefix(
  { title, platform }: StageNode,
  options: PlanOptions,
  { index, total }: { index: number; total: number },
): string {
  if (total === 0) return '';
  const shown = options.namesPlatform ? `${formatPlatform(platform ?? options.platform)} ` : '';
  const width = Math.floor(1 + Math.log10(total));
  return `[${shown}${title === '' ? '' : `${title} `}${String(index).padStart(width)}/${total}] `;
}
