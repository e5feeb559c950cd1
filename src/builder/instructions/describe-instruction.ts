import { type ExpandOptions, expandWord, type Variables } from '../expansion/expand-word.ts';
import { trimSpace } from '../parser/blank.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import { readHeredocWord } from '../parser/heredocs.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';
import type { Instruction, RunInstruction, RunMount } from './instruction.ts';

export interface DescribeOptions {
  /** The stage's variables before the instruction. */
  readonly variables: Variables;
  readonly escapeToken: EscapeToken;
  /** `readMounts` of a RUN: variables that its secrets set are shown as `****`. */
  readonly mounts?: readonly RunMount[];
}

/**
 * An instruction as the progress of a build shows it: `RUN apt-get update`, `COPY /src /dst`, `RUN <<EOF (apt-get update...)`. Variables
 * are put in where that can be done; in RUN unknown ones and quotes stay as they are.
 */
export function describeInstruction(instruction: Instruction, options: DescribeOptions): string {
  const { variables, escapeToken, mounts = [] } = options;
  if (instruction.kind !== 'run')
    return upperKeyword(expandOrKeep(instruction.code, variables, { escapeToken }));
  const text = instruction.code + heredocSummary(instruction);
  const masked = new Set(
    mounts.flatMap(({ type, env }) => (type === 'secret' && env !== undefined ? [env] : [])),
  );
  const known = { get: (name: string) => (masked.has(name) ? '****' : variables.get(name)) };
  return upperKeyword(expandOrKeep(text, known, { escapeToken, rawQuotes: true, skipUnset: true }));
}

function expandOrKeep(text: string, variables: Variables, options: ExpandOptions): string {
  try {
    return expandWord(text, variables, options).result;
  } catch (error) {
    if (error instanceof DockerfileError) return text;
    throw error;
  }
}

function upperKeyword(text: string): string {
  const end = text.indexOf(' ');
  return end < 0 ? text.toUpperCase() : text.slice(0, end).toUpperCase() + text.slice(end);
}

/** ` (first line...)`, where the heredoc is the whole command. */
function heredocSummary({ commandLine, files }: RunInstruction): string {
  const [file] = files;
  if (file === undefined || readHeredocWord(commandLine[0] ?? '') === undefined) return '';
  const [line = '', ...more] = trimSpace(file.data).replaceAll('\r\n', '\n').split('\n');
  return ` (${line}${more.length > 0 ? '...' : ''})`;
}
