import { encodePath } from '../../../archive/path-bytes.ts';
import type { DockerfileNode, ParsedDockerfile } from '../parsed-dockerfile.ts';

/** What a node says, without the place where it stood. */
export type NodeContent = Omit<DockerfileNode, 'range' | 'original' | 'child'> & {
  child: NodeContent | undefined;
};

export interface PrintStyle {
  /** Blank and comment lines between continued ones, a line each word: called for every gap that may hold a line's end. */
  readonly gap: () => string;
}

const PLAIN: PrintStyle = { gap: () => ' ' };

/** A Dockerfile that parses to these nodes: the opposite of `parseDockerfile`, for tests that go there and back. */
export function printDockerfile(
  { escapeToken, nodes }: Pick<ParsedDockerfile, 'escapeToken'> & { nodes: readonly NodeContent[] },
  style: PrintStyle = PLAIN,
): Buffer {
  const printed = nodes.map((node) => {
    const comments = node.comments.map((comment) => `# ${comment}\n`);
    const heredocs = node.heredocs.map(({ content, name }) => `${content}${name}\n`);
    return [...comments, printLine(node, escapeToken, style), '\n', ...heredocs].join('');
  });
  // The blank line ends the directives: no comment may become one.
  return encodePath(`# escape=${escapeToken}\n\n${printed.join('')}`);
}

function printLine(node: NodeContent, escapeToken: string, style: PrintStyle): string {
  const flags = node.flags.map((flag) => printFlag(flag, escapeToken));
  const rest = printArguments(node, escapeToken, style);
  const end = rest.startsWith('--') ? ['--'] : [];
  return [node.keyword, ...flags, ...end, rest].filter((part) => part !== '').join(style.gap());
}

/** Blanks, quotes and the escape token lose their meaning; an empty flag needs quotes to be one. */
function printFlag(flag: string, escapeToken: string): string {
  return flag.replace(/[\s"'`\\]/g, (character) =>
    character === '\\' || character === '`'
      ? character === escapeToken
        ? escapeToken + character
        : character
      : escapeToken + character,
  );
}

function printArguments(node: NodeContent, escapeToken: string, style: PrintStyle): string {
  if (node.child !== undefined) return printLine(node.child, escapeToken, style);
  const keyword = node.keyword.toLowerCase();
  if (keyword === 'healthcheck' && node.json) {
    return [node.args[0], JSON.stringify(node.args.slice(1))].join(style.gap());
  }
  if (node.json) return JSON.stringify(node.args);
  if (keyword === 'env' || keyword === 'label') return printPairs(node.args, style);
  return node.args.join(style.gap());
}

function printPairs(args: readonly string[], style: PrintStyle): string {
  const pairs: string[] = [];
  for (let at = 0; at < args.length; at += 3) pairs.push(`${args[at]}${args[at + 2] || ' '}${args[at + 1]}`);
  return pairs.join(style.gap());
}

/** What is left of a node when its place is taken away. */
export function contentOf(node: DockerfileNode): NodeContent {
  const { keyword, flags, args, json, heredocs, comments, child } = node;
  return { keyword, flags, args, json, heredocs, comments, child: child && contentOf(child) };
}
