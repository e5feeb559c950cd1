import type { Answer, ApiCaller } from './api-call.ts';
import type { ExpectedContainer, Model } from './model.ts';
import type { Setting } from './plan.ts';
import type { RudeClients } from './rude-client.ts';
import type { Tally } from './tally.ts';

export type { Answer } from './api-call.ts';

/** What each worker works with. */
export interface WorkerContext {
  api: ApiCaller;
  model: Model;
  rude: RudeClients;
  tally: Tally;
  setting: Setting;
}

/** Send a request; one whose answer is lost with the daemon is counted. */
export async function lostOrAsked(
  { api, tally }: Pick<WorkerContext, 'api' | 'tally'>,
  [method, path, body]: [method: string, path: string, body?: unknown],
): Promise<Answer | 'lost'> {
  const outcome = await api.call(method, path, body);
  if (!outcome.lost) return outcome;
  tally.lost++;
  return 'lost';
}

/** Whether it could not be done because the container may not be there, or not run. */
export function isExcused(
  { status, body }: Pick<Answer, 'status' | 'body'>,
  container: ExpectedContainer,
): boolean {
  // An exec is forgotten with the run that it was made for.
  if (status === 404 && !body.includes('No such exec instance'))
    return container.may('absent') || container.ending;
  return [404, 409, 500].includes(status) && !surelyRuns(container);
}

/** Between two runs by its policy a container takes no commands. */
export function surelyRuns(container: ExpectedContainer): boolean {
  const { possible, interrupted, ending, program } = container;
  const runs = possible.size === 1 && container.may('running') && !interrupted && !ending;
  return runs && program.restarts === undefined;
}

/** False for a failure that the setting excuses. @throws Error on any other that is not among `wanted`. */
export function accepts(
  answer: Answer,
  wanted: readonly number[],
  { setting }: Pick<WorkerContext, 'setting'>,
): boolean {
  if (wanted.includes(answer.status)) return true;
  if (setting === 'full-disk' && /no space left|disk is full/i.test(answer.body)) return false;
  throw new Error(`answered ${answer.status} ${answer.body.slice(0, 300).trim()}`);
}
