import type { EscapeToken, ParserWarning } from '../parser/parsed-dockerfile.ts';
import type { ArgInstruction, Stage } from './instruction.ts';

/** A Dockerfile, understood. */
export interface Dockerfile {
  readonly escapeToken: EscapeToken;
  /** The ARGs above the first FROM: for FROM lines, and as defaults for an ARG of the same name in a stage. */
  readonly metaArgs: readonly ArgInstruction[];
  /** In the order of the file; never empty. */
  readonly stages: readonly Stage[];
  readonly warnings: readonly ParserWarning[];
}
