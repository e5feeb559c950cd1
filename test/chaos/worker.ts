import type { Answer, ApiCaller, Outcome } from './api-call.ts';
import { logFault } from './check-containers.ts';
import type { ExpectedContainer, Model } from './model.ts';
import type { Setting, Step, TimedStep } from './plan.ts';
import { applyFault } from './process-faults.ts';
import type { RudeClients } from './rude-client.ts';
import type { Tally } from './tally.ts';

const STOP_SECONDS = 1;
const [SIGKILLED, SIGTERMED] = [137, 143];

export interface WorkerContext {
  api: ApiCaller;
  model: Model;
  rude: RudeClients;
  tally: Tally;
  setting: Setting;
}

/** Carry out the steps one after another until the daemon is killed, and keep the model by the answers. */
export async function runWorker(steps: Iterator<TimedStep>, context: WorkerContext): Promise<void> {
  while (!context.api.daemonKilled) {
    const { value, done } = steps.next();
    if (done === true) return;
    const { step, pauseMs } = value as TimedStep;
    await Bun.sleep(pauseMs);
    context.tally.steps++;
    try {
      await carryOut(step, context);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      context.tally.violations.push(
        `${step.kind} ${'container' in step ? step.container : step.image}: ${reason}`,
      );
    }
  }
}

async function carryOut(step: Step, context: WorkerContext): Promise<void> {
  switch (step.kind) {
    case 'run':
      return await run(step, context);
    case 'pull':
      return await pull(step.image, context);
    case 'rmi':
      return await removeImage(step.image, context);
    case 'rude':
      context.tally.rudeClients++;
      return await context.rude.come(step.manner, step.container);
    default:
      return await onContainer(step, context);
  }
}

async function onContainer(
  step: Exclude<Step, { kind: 'run' | 'pull' | 'rmi' | 'rude' }>,
  context: WorkerContext,
): Promise<void> {
  const container = context.model.containers.get(step.container);
  if (container === undefined) return;
  switch (step.kind) {
    case 'start':
      return await start(container, context);
    case 'stop':
      return await stop(container, context);
    case 'kill':
      return await kill(container, context);
    case 'remove':
      return await remove(container, context);
    case 'pause':
      return await pause(container, context);
    case 'fault':
      return await fault(step.fault, container, context);
    case 'logs': {
      const wrong = await logFault(container, context, { whole: false });
      if (wrong !== undefined) throw new Error(wrong);
    }
  }
}

async function run(step: Step & { kind: 'run' }, context: WorkerContext): Promise<void> {
  const { program, autoRemove } = step;
  const container = context.model.add(step.container, program, autoRemove);
  const outcome = await context.api.call('POST', `/containers/create?name=${container.name}`, {
    Image: 'busybox',
    Cmd: program.command,
    HostConfig: { NetworkMode: step.network, AutoRemove: autoRemove, ...program.host },
  });
  if (outcome.lost) {
    context.tally.lost++;
    return container.create(false);
  }
  if (!accepts(outcome, [201], context)) return;
  container.create(true);
  container.id = (JSON.parse(outcome.body) as { Id: string }).Id;
  await start(container, context);
}

async function start(container: ExpectedContainer, context: WorkerContext): Promise<void> {
  const outcome = await ask(container, 'start', context);
  if (outcome === 'lost') return container.start(false);
  if (outcome.status === 304 && container.may('running')) return;
  if (outcome.status === 404 && container.may('absent')) return;
  if (!accepts(outcome, [204], context)) return container.start(false);
  context.tally.containers++;
  container.start(true);
  const seen = await context.api.call('GET', `/containers/${container.name}/json`);
  if (seen.lost || seen.status !== 200) return;
  const { State } = JSON.parse(seen.body) as { State: { Running: boolean; Pid: number } };
  if (State.Running) container.pid = State.Pid;
}

async function stop(container: ExpectedContainer, context: WorkerContext): Promise<void> {
  const codes = container.program.name === 'polite-counter' ? [SIGTERMED, SIGKILLED] : [SIGKILLED];
  const outcome = await ask(container, `stop?t=${STOP_SECONDS}`, context);
  if (outcome === 'lost') return container.end(false, codes);
  if (outcome.status === 404 && container.may('absent')) return;
  if (outcome.status === 304 && container.possible.size > 1) return;
  if (outcome.status === 304 && !container.may('running')) return;
  container.end(accepts(outcome, [204], context), codes);
}

async function kill(container: ExpectedContainer, context: WorkerContext): Promise<void> {
  const outcome = await ask(container, 'kill', context);
  if (outcome === 'lost') return container.end(false);
  if (outcome.status === 404 && container.may('absent')) return;
  const wasRunning = container.possible.size === 1 && container.may('running');
  if (outcome.status === 409 && !wasRunning) return;
  // It ends soon, not at once.
  accepts(outcome, [204], context);
  container.end(false);
}

async function remove(container: ExpectedContainer, context: WorkerContext): Promise<void> {
  const outcome = await context.api.call('DELETE', `/containers/${container.name}?force=1`);
  if (outcome.lost) {
    context.tally.lost++;
    return container.remove(false);
  }
  if (outcome.status === 404 && container.may('absent')) return container.is('absent');
  const going =
    outcome.status === 409 && container.autoRemove && outcome.body.includes('already in progress');
  container.remove(accepts(outcome, [204], context) && !going);
}

/** There and back again. */
async function pause(container: ExpectedContainer, context: WorkerContext): Promise<void> {
  for (const verb of ['pause', 'unpause']) {
    const outcome = await ask(container, verb, context);
    if (outcome === 'lost') return;
    const wasRunning = container.possible.size === 1 && container.may('running');
    if (!wasRunning && [404, 409, 500].includes(outcome.status)) return;
    if (!accepts(outcome, [204], context)) return;
  }
}

async function fault(
  kind: 'monitor-killed' | 'init-stopped',
  container: ExpectedContainer,
  { api, tally }: WorkerContext,
): Promise<void> {
  const seen = await api.call('GET', `/containers/${container.name}/json`);
  if (seen.lost || seen.status !== 200) return;
  const { Id, State } = JSON.parse(seen.body) as { Id: string; State: { Pid: number } };
  if (State.Pid === 0) return;
  if (kind === 'monitor-killed') container.killMonitor();
  else container.frozen = true;
  if (applyFault(kind, { id: Id, pid: State.Pid })) tally.processFaults++;
}

async function pull(image: string, context: WorkerContext): Promise<void> {
  const outcome = await context.api.call('POST', `/images/create?fromImage=${image}&tag=latest`);
  const { model, tally } = context;
  if (outcome.lost) {
    tally.lost++;
    return model.image(image, 'present', false);
  }
  const failed = outcome.status !== 200 || outcome.body.includes('"errorDetail"');
  if (failed) return void accepts({ ...outcome, status: 500 }, [200], context);
  tally.pulls++;
  model.image(image, 'present', true);
}

async function removeImage(image: string, context: WorkerContext): Promise<void> {
  const outcome = await context.api.call('DELETE', `/images/${image}?force=1`);
  const { model, tally } = context;
  if (outcome.lost) {
    tally.lost++;
    return model.image(image, 'absent', false);
  }
  const missing = outcome.status === 404 && model.images.get(image)?.has('absent') !== false;
  if (missing || accepts(outcome, [200], context)) model.image(image, 'absent', true);
}

async function ask(
  container: ExpectedContainer,
  verb: string,
  context: WorkerContext,
): Promise<Answer | 'lost'> {
  const outcome: Outcome = await context.api.call('POST', `/containers/${container.name}/${verb}`);
  if (!outcome.lost) return outcome;
  context.tally.lost++;
  return 'lost';
}

/** False for a failure that the setting excuses. @throws Error on any other that is not among `wanted`. */
function accepts(answer: Answer, wanted: readonly number[], { setting }: WorkerContext): boolean {
  if (wanted.includes(answer.status)) return true;
  if (setting === 'full-disk' && /no space left|disk is full/i.test(answer.body)) return false;
  throw new Error(`answered ${answer.status} ${answer.body.slice(0, 300).trim()}`);
}
