import { EngineError } from '../../errors/engine-error.ts';
import type { ParsedDockerfile } from './parsed-dockerfile.ts';

/**
 * Split a Dockerfile into its instructions: directives, comments, continuation lines, flags, JSON forms, heredocs.
 * Keywords that nobody knows are passed on; `readInstructions` refuses them.
 *
 * @throws DockerfileError in BuildKit's words (`unterminated heredoc`, `file with no instructions`, …).
 */
export function parseDockerfile(source: Uint8Array | string): ParsedDockerfile {
  throw new EngineError('not-implemented', `Cannot parse ${source.length} bytes yet`);
}
