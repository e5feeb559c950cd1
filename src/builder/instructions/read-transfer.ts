import { DockerfileError } from '../parser/dockerfile-error.ts';
import { chompHeredoc, readHeredocWord } from '../parser/heredocs.ts';
import type { DockerfileNode } from '../parser/parsed-dockerfile.ts';
import { type GivenFlags, readFlags } from './flags.ts';
import type { AddInstruction, CopyInstruction, FileTransfer, SourceContent } from './instruction.ts';
import { sourceOf } from './instruction-request.ts';

/** @throws DockerfileError without a range. */
export function readCopy(node: DockerfileNode): CopyInstruction {
  requireDestination('COPY', node);
  const flags = readFlags(node.flags, {
    chown: 'string',
    from: 'string',
    chmod: 'string',
    link: 'bool',
    exclude: 'strings',
    parents: 'bool',
  });
  return {
    kind: 'copy',
    ...transferOf('COPY', node, flags),
    from: flags.string('from'),
    parents: flags.bool('parents') ?? false,
  };
}

/** @throws DockerfileError without a range. */
export function readAdd(node: DockerfileNode): AddInstruction {
  requireDestination('ADD', node);
  const flags = readFlags(node.flags, {
    chown: 'string',
    chmod: 'string',
    link: 'bool',
    'keep-git-dir': 'bool',
    checksum: 'string',
    unpack: 'bool',
    exclude: 'strings',
  });
  return {
    kind: 'add',
    ...transferOf('ADD', node, flags),
    checksum: flags.string('checksum'),
    keepGitDir: flags.bool('keep-git-dir'),
    unpack: flags.bool('unpack'),
  };
}

function requireDestination(keyword: string, node: DockerfileNode): void {
  if (node.args.length >= 2) return;
  const fault =
    'requires at least two arguments, but only one was provided. Destination could not be determined';
  throw new DockerfileError(`${keyword} ${fault}`);
}

function transferOf(keyword: string, node: DockerfileNode, flags: GivenFlags): FileTransfer {
  const destination = node.args.at(-1) ?? '';
  if (heredocOf(destination) !== undefined) {
    throw new DockerfileError(`${keyword} cannot accept a heredoc as a destination`);
  }
  const words = node.args.slice(0, -1);
  return {
    ...sourceOf(node),
    destination,
    sources: words.filter((word) => heredocOf(word) === undefined),
    contents: sourceContents(words, node),
    chown: flags.string('chown'),
    chmod: flags.string('chmod'),
    link: flags.bool('link') ?? false,
    exclude: flags.strings('exclude'),
  };
}

function sourceContents(words: readonly string[], node: DockerfileNode): SourceContent[] {
  const contents = new Map(node.heredocs.map(({ name, content }) => [name, content]));
  return words.flatMap((word) => {
    const heredoc = heredocOf(word);
    if (heredoc === undefined) return [];
    const content = contents.get(heredoc.name) ?? '';
    const data = heredoc.chomp ? chompHeredoc(content) : content;
    return [{ path: heredoc.name, data, expand: heredoc.expand }];
  });
}

function heredocOf(word: string) {
  try {
    return readHeredocWord(word);
  } catch (error) {
    if (error instanceof DockerfileError) return undefined;
    throw error;
  }
}
