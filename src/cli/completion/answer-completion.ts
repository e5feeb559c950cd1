import { messageOf } from '../../errors/engine-error.ts';
import { UsageError } from '../flags/usage-error.ts';
import type { Sink } from '../terminal/sink.ts';
import { type CompletionPlace, completeWords } from './complete-words.ts';
import { type Completion, Directive, FILES } from './completion.ts';

const NAMES: readonly [bit: number, name: string][] = [
  [Directive.error, 'ShellCompDirectiveError'],
  [Directive.noSpace, 'ShellCompDirectiveNoSpace'],
  [Directive.noFiles, 'ShellCompDirectiveNoFileComp'],
  [Directive.folders, 'ShellCompDirectiveFilterDirs'],
];

/** The words by which a shell asks: with descriptions, and without. */
export const COMPLETE = '__complete';
export const COMPLETE_WITHOUT_DESCRIPTIONS = '__completeNoDesc';

/**
 * Answer `__complete WORD... TYPED` as cobra's programs do: a value a line, then `:` and the directive; for people, its name on stderr.
 *
 * @returns the exit status.
 */
export async function answerCompletion(
  [call, ...words]: readonly string[],
  { place, stdout, stderr }: { place: CompletionPlace; stdout: Sink; stderr: Sink },
): Promise<number> {
  if (words.length === 0) {
    await stderr.write('requires at least 1 arg(s), only received 0\n');
    return 1;
  }
  const { values, directive } = await completionOf(words, place, stderr);
  const lines = call === COMPLETE ? values : values.map((value) => value.split('\t')[0]);
  await stdout.write([...lines, `:${directive}`, ''].join('\n'));
  const names = NAMES.filter(([bit]) => (directive & bit) !== 0).map(([, name]) => name);
  await stderr.write(
    `Completion ended with directive: ${names.length === 0 ? 'ShellCompDirectiveDefault' : names.join(', ')}\n`,
  );
  return 0;
}

async function completionOf(
  words: readonly string[],
  place: CompletionPlace,
  stderr: Sink,
): Promise<Completion> {
  try {
    return await completeWords(words, place);
  } catch (error) {
    await stderr.write(`[Debug] [Error] ${messageOf(error)}\n`);
    // What can't be parsed is no reason to keep files back; a daemon that doesn't answer is.
    return error instanceof UsageError ? FILES : { values: [], directive: Directive.error };
  }
}
