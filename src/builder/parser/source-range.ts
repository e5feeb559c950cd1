/** Lines of the Dockerfile, counted from 1, both ends included. Line 0 stands for "before any line" in a few of BuildKit's errors. */
export interface SourceRange {
  readonly startLine: number;
  readonly endLine: number;
}

/** A range that covers at least its first line: an `endLine` before `startLine` counts as `startLine`. */
export function sourceRange(startLine: number, endLine = startLine): SourceRange {
  return { startLine, endLine: Math.max(startLine, endLine) };
}
