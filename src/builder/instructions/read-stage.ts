import { quote } from '../../wire/quote.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { DockerfileNode } from '../parser/parsed-dockerfile.ts';
import { readFlags } from './flags.ts';
import type { Stage } from './instruction.ts';
import { docComment, sourceOf } from './instruction-request.ts';

/** FROM, without what follows it. @throws DockerfileError without a range. */
export function readStage(node: DockerfileNode): Omit<Stage, 'instructions'> {
  const spelledName = nameOf(node.args);
  const flags = readFlags(node.flags, { platform: 'string' });
  const name = spelledName.toLowerCase();
  return {
    ...sourceOf(node),
    name,
    spelledName,
    base: node.args[0] ?? '',
    platform: flags.string('platform'),
    docComment: docComment(node.comments, name),
  };
}

function nameOf(args: readonly string[]): string {
  if (args.length === 1) return '';
  const [, as = '', name = ''] = args;
  if (args.length !== 3 || as.toLowerCase() !== 'as') {
    throw new DockerfileError('FROM requires either one or three arguments');
  }
  if (!/^[a-z][a-z0-9\-_.]*$/.test(name.toLowerCase())) {
    const fault = "name can't start with a number or contain symbols";
    throw new DockerfileError(`invalid name for build stage: ${quote(name)}, ${fault}`);
  }
  return name;
}
