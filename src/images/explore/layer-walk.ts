import { comparePathBytes } from '../../archive/path-bytes.ts';
import type { LayerNode } from '../../snapshots/layer-node.ts';

/** What makes up one path of a stack, topmost first: several nodes for a merged directory, one for anything else, none where nothing is. */
export type StackNodes = readonly LayerNode[];

/** The roots of a stack. `layers` are roots, topmost first. */
export function stackRoots(layers: readonly LayerNode[]): StackNodes {
  const hiding = layers.findIndex(({ isOpaque }) => isOpaque);
  return hiding < 0 ? layers : layers.slice(0, hiding + 1);
}

/** What a stack shows under a name in a directory. */
export function stackChild(directory: StackNodes, name: string): StackNodes {
  const found: LayerNode[] = [];
  for (const parent of directory) {
    const child = parent.child(name);
    if (child === undefined) continue;
    if (child.type !== 'directory') {
      if (found.length === 0 && !child.isWhiteout) found.push(child);
      break;
    }
    found.push(child);
    if (child.isOpaque) break;
  }
  return found;
}

/** The names in directories, each once, in the order of their bytes; those of whiteouts too. */
export function namesIn(...directories: StackNodes[]): Iterable<string> {
  const [only, ...others] = directories.flat();
  if (only === undefined) return [];
  const names = new Set<string>();
  for (const directory of [only, ...others]) for (const [name] of directory.entries()) names.add(name);
  return others.length === 0 ? names : [...names].sort(comparePathBytes);
}

/** A stack's nodes as the place of what lies below: none, unless they are a directory's. */
export function asDirectory(nodes: StackNodes): StackNodes {
  return nodes[0]?.type === 'directory' ? nodes : [];
}
