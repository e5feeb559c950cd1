import type { ContextName, StepTree } from './build-step.ts';

/** Paths of a context that the plan reads: '' stands for all of it. */
export type ContextPaths = Map<string, { context: ContextName; paths: Set<string> }>;

/** A step will read `path` of the tree. */
export function noteRead(contexts: ContextPaths, tree: StepTree, path: string): void {
  if (tree.kind !== 'context') return;
  const key = tree.context.main ? '' : tree.context.name;
  const known = contexts.get(key) ?? { context: tree.context, paths: new Set<string>() };
  known.paths.add(path);
  contexts.set(key, known);
}
