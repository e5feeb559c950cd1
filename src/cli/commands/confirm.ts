import { ExitError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';

/** Ask before something is removed. @throws ExitError when the answer isn't yes. */
export async function confirm(context: CliContext, warning: string): Promise<void> {
  await context.stdout.write(`${warning} [y/N] `);
  let answer = '';
  for await (const chunk of context.stdin.chunks()) {
    answer += new TextDecoder().decode(chunk);
    if (answer.includes('\n')) break;
  }
  if (/^y(?:es)?$/i.test(answer.trim())) return;
  if (!answer.includes('\n')) await context.stdout.write('\n');
  throw new ExitError(1, 'operation has been cancelled');
}
