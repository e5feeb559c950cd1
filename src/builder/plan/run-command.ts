import type { InlineFile, RunInstruction } from '../instructions/instruction.ts';
import { chompHeredoc, readHeredocWord } from '../parser/heredocs.ts';
import type { StepMount } from './build-step.ts';
import { copyToRoot } from './copy-to-root.ts';

/** Where a heredoc that is a program of its own stands while it runs. */
const PROGRAM_DIRECTORY = '/dev/pipes/';

export interface HeredocCommand {
  args: readonly string[];
  mounts: StepMount[];
}

/**
 * The command of a RUN with heredocs: one that is the whole command is the shell's text, or a program where it begins with `#!`; others
 * are put back for the shell to read.
 */
export function heredocCommand({ commandLine, files }: RunInstruction): HeredocCommand {
  const [line = ''] = commandLine;
  const [first] = files;
  if (first === undefined) return { args: commandLine, mounts: [] };
  if (readHeredocWord(line) === undefined) {
    const full = files.reduce((text, { data, name }) => `${text}\n${data}${name}`, line);
    return { args: [full], mounts: [] };
  }
  if (first.data.startsWith('#!')) return program(first);
  return { args: [contentOf(first)], mounts: [] };
}

function contentOf({ data, chomp }: InlineFile): string {
  return chomp ? chompHeredoc(data) : data;
}

function program(file: InlineFile): HeredocCommand {
  const source = { kind: 'text', name: file.name, data: contentOf(file) } as const;
  const step = copyToRoot(source, '[internal] preparing inline document', {
    os: 'linux',
    architecture: 'amd64',
  });
  if (step.work.kind === 'copy')
    step.work = { ...step.work, options: { ...step.work.options, chmod: '0755' } };
  return {
    args: [`${PROGRAM_DIRECTORY}${file.name}`],
    mounts: [
      { type: 'bind', tree: { kind: 'step', step }, source: '/', target: PROGRAM_DIRECTORY, readOnly: true },
    ],
  };
}

/** ` (first line...)` behind a RUN whose command is a heredoc. */
export function heredocSummary({ commandLine, files }: RunInstruction): string {
  const [first] = files;
  if (first === undefined || readHeredocWord(commandLine[0] ?? '') === undefined) return '';
  const [line = '', ...more] = first.data.trim().replaceAll('\r\n', '\n').split('\n');
  return ` (${line}${more.length > 0 ? '...' : ''})`;
}
