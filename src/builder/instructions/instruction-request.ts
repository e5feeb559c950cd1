import { trimSpace } from '../parser/blank.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { DockerfileNode } from '../parser/parsed-dockerfile.ts';
import type { InlineFile, InstructionSource } from './instruction.ts';

/** What every instruction takes over from its node. */
export function sourceOf(node: DockerfileNode): InstructionSource {
  const { keyword, original, range, comments } = node;
  return { keyword, code: trimSpace(original).toWellFormed(), range, comments };
}

/** `# <name> <text>` among the comments above: the text. */
export function docComment(comments: readonly string[], name: string): string {
  if (name === '') return '';
  return comments.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? '';
}

/** Shell form: the whole text as one argument. Exec form: its strings. What goes into a config is UTF-8. */
export function commandArguments(args: readonly string[], json: boolean): readonly string[] {
  return json || args.length === 0 ? args : [args.join(' ').toWellFormed()];
}

export function inlineFiles(node: DockerfileNode): InlineFile[] {
  return node.heredocs.map(({ name, content, chomp }) => ({ name, data: content, chomp }));
}

/** @throws DockerfileError */
export function requireOne(keyword: string, args: readonly string[]): string {
  const [only] = args;
  if (only !== undefined && args.length === 1) return only;
  throw new DockerfileError(`${keyword} requires exactly one argument`);
}

/** @throws DockerfileError */
export function requireSome(keyword: string, args: readonly string[]): void {
  if (args.length === 0) throw new DockerfileError(`${keyword} requires at least one argument`);
}
