import { ExitError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { Prompt } from '../terminal/prompt.ts';

/** Ask before something is removed. @throws ExitError when the answer isn't yes: without a word and with status 0, as in Docker. */
export async function confirm(context: CliContext, warning: string): Promise<void> {
  const answer = await new Prompt(context).ask(`${warning} [y/N] `);
  if (answer.trim().toLowerCase() !== 'y') throw new ExitError(0);
}
