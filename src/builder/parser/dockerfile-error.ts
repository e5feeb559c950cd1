import { EngineError } from '../../errors/engine-error.ts';
import type { SourceRange } from './source-range.ts';

/**
 * A Dockerfile that says something it may not, in BuildKit's words.
 *
 * `range` are the lines to show beside the message; undefined where the failure is the file's as a whole.
 */
export class DockerfileError extends EngineError {
  readonly range: SourceRange | undefined;

  constructor(message: string, range?: SourceRange, options: { cause?: unknown; hint?: string } = {}) {
    super('invalid', message, options);
    this.name = 'DockerfileError';
    this.range = range;
  }
}

/** The same error with `range`, where it has none yet. Anything else than an EngineError "invalid" comes back as it was. */
export function atRange(error: unknown, range: SourceRange): unknown {
  if (error instanceof DockerfileError) {
    return error.range === undefined
      ? new DockerfileError(error.message, range, { cause: error.cause })
      : error;
  }
  if (error instanceof EngineError && error.kind === 'invalid') {
    return new DockerfileError(error.message, range, { cause: error });
  }
  return error;
}
