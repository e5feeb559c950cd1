import { directory, file, makeTar } from '../support/images/tar-maker.ts';
import { type Answer, isExcused, lostOrAsked, surelyRuns, type WorkerContext } from './ask.ts';
import type { ExpectedContainer } from './model.ts';
import { numberingFault } from './numbered-log.ts';
import type { Step } from './plan.ts';

/** What is done in and to a container that exists, beside its life: each answers what it has to, and the model keeps what must be found later. */
export async function useContainer(
  step: Extract<Step, { kind: 'exec' | 'update' | 'copy' }>,
  container: ExpectedContainer,
  context: WorkerContext,
): Promise<void> {
  if (step.kind === 'exec') return await exec(step, container, context);
  if (step.kind === 'update') return await update(step.pidsLimit, container, context);
  await copy(step.text, container, context);
}

async function exec(
  { lines, code }: { lines: number; code: number },
  container: ExpectedContainer,
  context: WorkerContext,
): Promise<void> {
  const script = `i=0; while [ $i -lt ${lines} ]; do echo line $i; i=$((i+1)); sleep 0.01; done; exit ${code}`;
  const body = { AttachStdout: true, Cmd: ['sh', '-c', script] };
  const created = await lostOrAsked(context, ['POST', `/containers/${container.name}/exec`, body]);
  if (created === 'lost' || isExcused(created, container)) return;
  if (created.status !== 201) throw new Error(`exec answered ${created.status} ${created.body}`);
  const { Id: id } = JSON.parse(created.body) as { Id: string };
  const expected = { id, code, started: false };
  container.execs.push(expected);
  let text = '';
  const request = { method: 'POST', path: `/exec/${id}/start`, body: { Detach: false } };
  const answer = await context.api.framed(request, (part) => {
    text += part;
  });
  if (answer === undefined) return void context.tally.lost++;
  if (isExcused(answer, container)) return;
  if (answer.status !== 200) throw new Error(`exec start answered ${answer.status} ${answer.body}`);
  // A daemon that is killed closes the connection as one that has told all.
  if (await context.api.wasKilled()) return;
  expected.started = true;
  const wrong = numberingFault(text, { runs: 1, lines, mayLack: container.interrupted });
  // Of a container that ends meanwhile it says what it met.
  if (wrong !== undefined && surelyRuns(container)) throw new Error(`output of an exec: ${wrong}`);
}

async function update(
  pidsLimit: number,
  container: ExpectedContainer,
  context: WorkerContext,
): Promise<void> {
  const path = `/containers/${container.name}/update`;
  const before = [...container.pidsLimits];
  const outcome = await lostOrAsked(context, ['POST', path, { PidsLimit: pidsLimit }]);
  if (outcome === 'lost') {
    container.pidsLimits = new Set([...before, ...(before.length === 0 ? [0] : []), pidsLimit]);
    return;
  }
  if (isExcused(outcome, container)) return;
  if (outcome.status !== 200) throw new Error(`update answered ${outcome.status} ${outcome.body}`);
  container.pidsLimits = new Set([pidsLimit]);
  context.tally.updates++;
}

/** Into it, and out of it again; into its volume where it has one. */
async function copy(text: string, container: ExpectedContainer, context: WorkerContext): Promise<void> {
  const { name, volume } = container;
  const files = volume === undefined ? undefined : context.model.volumes.get(volume)?.files;
  files?.delete(name);
  container.copied = undefined;
  const members = [file('copied', text), directory('named'), file(`named/${name}`, text)];
  const archive = makeTar(volume === undefined ? members.slice(0, 1) : members);
  const put = await lostOrAsked(context, ['PUT', `/containers/${name}/archive?path=/`, archive]);
  if (put === 'lost' || isExcused(put, container)) return;
  if (put.status !== 200) throw new Error(`copy answered ${put.status} ${put.body}`);
  container.copied = text;
  files?.set(name, text);
  context.tally.copies++;
  const got = await copied(container, context);
  if (got !== 'lost' && !isExcused(got, container)) throwUnlessCopied(got, text);
}

export function copied(
  { name }: ExpectedContainer,
  context: Pick<WorkerContext, 'api' | 'tally'>,
): Promise<Answer | 'lost'> {
  return lostOrAsked(context, ['GET', `/containers/${name}/archive?path=/copied`]);
}

/** @throws Error when the archive doesn't hold the file whole. */
export function throwUnlessCopied({ status, body }: Answer, text: string): void {
  if (status !== 200 || !body.includes(`${text}\0`))
    throw new Error(`copied out is not what was copied in: ${status} ${JSON.stringify(body.slice(0, 700))}`);
}
