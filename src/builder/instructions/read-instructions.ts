import { DockerfileError } from '../parser/dockerfile-error.ts';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import type { DockerfileNode, ParsedDockerfile } from '../parser/parsed-dockerfile.ts';
import type { SourceRange } from '../parser/source-range.ts';
import type { Dockerfile } from './dockerfile.ts';
import type { ArgInstruction, Instruction, Stage } from './instruction.ts';
import { instructionOf } from './read-instruction.ts';
import { readStage } from './read-stage.ts';

/**
 * Understand every instruction of a parsed Dockerfile.
 *
 * @throws DockerfileError `dockerfile parse error on line N: …`, in BuildKit's words and with the lines.
 */
export function readInstructions(parsed: ParsedDockerfile): Dockerfile {
  const metaArgs: ArgInstruction[] = [];
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const node of parsed.nodes) {
    if (node.keyword.toLowerCase() === 'from') {
      stages.push({ ...onLine(node, () => readStage(node)), instructions: [] });
      continue;
    }
    const instruction = onLine(node, () => instructionOf(node));
    const stage = stages.at(-1);
    if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === 'arg') metaArgs.push(instruction);
    else throw new DockerfileError('no build stage in current context', node.range);
  }
  if (stages.length === 0) throw new DockerfileError('dockerfile contains no stages to build');
  return { escapeToken: parsed.escapeToken, metaArgs, stages, warnings: parsed.warnings };
}

function onLine<T>(node: DockerfileNode, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const message = `dockerfile parse error on line ${node.range.startLine}: ${error.message}`;
    throw new DockerfileError(message, node.range, { cause: error });
  }
}

/**
 * Understand one instruction on its own, such as an ONBUILD trigger of a base image; heredocs may follow it.
 * The escape token is `\`, whatever the file it came from said; `range` is where the result shall stand.
 *
 * @throws DockerfileError at `range`; FROM and more than one instruction are refused.
 */
export function readInstruction(text: string, range?: SourceRange): Instruction {
  try {
    const { nodes } = parseDockerfile(text);
    const [node] = nodes;
    if (node === undefined || nodes.length > 1) {
      throw new DockerfileError('onbuild trigger should be a single expression');
    }
    if (node.keyword.toLowerCase() === 'from') throw new DockerfileError('FROM is not a command type');
    return instructionOf(range === undefined ? node : { ...node, range });
  } catch (error) {
    if (error instanceof DockerfileError && range !== undefined)
      throw new DockerfileError(error.message, range);
    throw error;
  }
}
