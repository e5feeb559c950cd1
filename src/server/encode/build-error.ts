import { messageOf } from '../../errors/engine-error.ts';
import type { BuildErrorJson } from '../../wire/build.ts';

/** A BuildError's place and code, by its shape: only types of the builder are known here. */
export function encodeBuildError(error: unknown): BuildErrorJson {
  const { lines, exit, dockerfile } = (error ?? {}) as {
    lines?: { start: number; end: number };
    exit?: { code: number };
    dockerfile?: string;
  };
  return {
    message: messageOf(error),
    ...(exit === undefined ? {} : { code: exit.code }),
    ...(lines === undefined ? {} : { lines }),
    ...(dockerfile === undefined ? {} : { dockerfile }),
    ...(isContextChanged(error) ? { contextChanged: true } : {}),
  };
}

function isContextChanged(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'context-changed') || isContextChanged(error.cause);
}
