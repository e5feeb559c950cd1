import { describeError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';

/**
 * Do something to every name, a few at once, print each name that it was done to, and every error, in the order given.
 *
 * @param options.print what to show for a name that went well; the name itself by default.
 * @returns exit status: 1 if any failed.
 */
export async function eachName<T>(
  context: CliContext,
  names: readonly string[],
  act: (name: string) => Promise<T>,
  options: { print?: (name: string, result: T) => string; atOnce?: number } = {},
): Promise<number> {
  const print = options.print ?? ((name) => `${name}\n`);
  const work: Promise<{ result: T } | { error: unknown }>[] = [];
  const atOnce = options.atOnce ?? 50;
  const errors: unknown[] = [];
  for (const [index, name] of names.entries()) {
    for (let next = work.length; next < names.length && next < index + atOnce; next++)
      work.push(settle(act(names[next] ?? '')));
    const outcome = await work[index];
    if (outcome === undefined) continue;
    if ('error' in outcome) errors.push(outcome.error);
    else await context.stdout.write(print(name, outcome.result));
  }
  for (const error of errors) await context.stderr.write(`${describeError(error)}\n`);
  return errors.length > 0 ? 1 : 0;
}

function settle<T>(work: Promise<T>): Promise<{ result: T } | { error: unknown }> {
  return work.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
}
