import { quote } from '../../../wire/quote.ts';
import type { DockerfileNode } from '../parsed-dockerfile.ts';

/** The nodes as BuildKit's parser writes them for its own tests: `(run ["--network=none"] "true")`, a line each. */
export function dumpNodes(nodes: readonly DockerfileNode[]): string {
  return nodes.map((node) => `(${dumpNode(node)})`).join('\n');
}

function dumpNode(node: DockerfileNode): string {
  const flags = node.flags.length === 0 ? [] : [`[${node.flags.map(quote).join(' ')}]`];
  const child = node.child === undefined ? [] : [`(${dumpNode(node.child)})`];
  return [node.keyword.toLowerCase(), ...flags, ...child, ...node.args.map(quote)].join(' ');
}
