import { EngineError } from '../../errors/engine-error.ts';
import type { Instruction, RunInstruction, RunMount } from './instruction.ts';

/** How an instruction's words become values: once as words (quotes resolved), once raw for the contents of heredocs (quotes stay). */
export interface WordExpander {
  word(text: string): string;
  raw(text: string): string;
}

/**
 * The instruction with variables put in where Dockerfiles allow them (ADD, COPY, ENV, LABEL, ARG, USER, WORKDIR, VOLUME, STOPSIGNAL,
 * heredoc contents of ADD and COPY); the others come back as they are. EXPOSE is `expandExpose`'s, RUN's mounts are `readMounts`'.
 *
 * @throws DockerfileError with the instruction's lines.
 */
export function expandInstruction<T extends Instruction>(instruction: T, expand: WordExpander): T {
  throw new EngineError('not-implemented', `Cannot expand ${instruction.kind} with ${typeof expand} yet`);
}

/** The mounts of a RUN, expanded and checked. @throws DockerfileError with the instruction's lines. */
export function readMounts(run: RunInstruction, expand: Pick<WordExpander, 'word'>): RunMount[] {
  throw new EngineError(
    'not-implemented',
    `Cannot read ${run.mounts.length} mounts with ${typeof expand} yet`,
  );
}
