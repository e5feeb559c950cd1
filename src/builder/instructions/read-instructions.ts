import { EngineError } from '../../errors/engine-error.ts';
import type { ParsedDockerfile } from '../parser/parsed-dockerfile.ts';
import type { Dockerfile } from './dockerfile.ts';
import type { Instruction } from './instruction.ts';

/**
 * Understand every instruction of a parsed Dockerfile.
 *
 * @throws DockerfileError `dockerfile parse error on line N: …`, in BuildKit's words and with the lines.
 */
export function readInstructions(parsed: ParsedDockerfile): Dockerfile {
  throw new EngineError('not-implemented', `Cannot read ${parsed.nodes.length} instructions yet`);
}

/**
 * Understand one line on its own: an ONBUILD trigger of a base image, or a `--change` of commit and import.
 *
 * @throws DockerfileError as `readInstructions`; FROM is refused.
 */
export function readInstruction(line: string): Instruction {
  throw new EngineError('not-implemented', `Cannot read ${line.length} bytes yet`);
}
