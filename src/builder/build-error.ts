import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import { DockerfileError } from './parser/dockerfile-error.ts';

export interface DockerfileLines {
  start: number;
  end: number;
}

export interface BuildErrorDetails {
  /** Lines of the build's Dockerfile that the failure belongs to. */
  lines?: DockerfileLines | undefined;
  /** A RUN's: how its command ended. */
  exit?: { code: number; command: string } | undefined;
  cause?: unknown;
}

/** Why a build failed, with its place in the Dockerfile. The message is BuildKit's. */
export class BuildError extends EngineError {
  readonly lines: DockerfileLines | undefined;
  readonly exit: { code: number; command: string } | undefined;

  constructor(message: string, details: BuildErrorDetails = {}, kind = kindFor(details.cause)) {
    super(kind, message, { cause: details.cause });
    this.name = 'BuildError';
    this.lines = details.lines;
    this.exit = details.exit;
  }
}

function kindFor(cause: unknown): EngineError['kind'] {
  return cause instanceof EngineError ? cause.kind : 'invalid';
}

/** The same failure, with `lines` where it has none yet. An abort's reason and failures of our own come back as they were. */
export function atLines(error: unknown, lines: DockerfileLines | undefined): unknown {
  if (error instanceof BuildError) {
    if (error.lines !== undefined || lines === undefined) return error;
    return new BuildError(error.message, { lines, exit: error.exit, cause: error.cause }, error.kind);
  }
  if (!(error instanceof EngineError)) return error;
  const own = error instanceof DockerfileError ? error.range : undefined;
  const place = own === undefined ? lines : { start: own.startLine, end: own.endLine };
  return new BuildError(messageOf(error), { lines: place, cause: error }, kindOf(error));
}
