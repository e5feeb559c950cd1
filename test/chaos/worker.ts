import { type Answer, accepts, lostOrAsked, surelyRuns, type WorkerContext } from './ask.ts';
import { build, removeVolume } from './build-step.ts';
import { logFault } from './check-containers.ts';
import type { ExpectedContainer } from './model.ts';
import type { Step, TimedStep } from './plan.ts';
import { applyFault } from './process-faults.ts';
import { useContainer } from './use-container.ts';

const STOP_SECONDS = 1;
const [SIGKILLED, SIGTERMED] = [137, 143];

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
      context.tally.violations.push(`${step.kind} ${subjectOf(step)}: ${reason}`);
    }
  }
}

function subjectOf(step: Step): string {
  if ('container' in step) return step.container;
  return 'image' in step ? step.image : step.volume;
}

async function carryOut(step: Step, context: WorkerContext): Promise<void> {
  switch (step.kind) {
    case 'run':
      return await run(step, context);
    case 'pull':
      return await pull(step.image, context);
    case 'rmi':
      return await removeImage(step.image, context);
    case 'build':
      return await build(step, context);
    case 'rm-volume':
      return await removeVolume(step.volume, context);
    case 'rude':
      context.tally.rudeClients++;
      return await context.rude.come(step.manner, step.container);
    default:
      return await onContainer(step, context);
  }
}

async function onContainer(
  step: Extract<Step, { container: string }>,
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
    case 'exec':
    case 'update':
    case 'copy':
      return await useContainer(step, container, context);
    case 'run':
    case 'rude':
      return;
    case 'logs': {
      const wrong = await logFault(container, context, { whole: false });
      if (wrong !== undefined) throw new Error(wrong);
    }
  }
}

async function run(step: Step & { kind: 'run' }, context: WorkerContext): Promise<void> {
  const { program, autoRemove, volume, anonymous } = step;
  const container = context.model.add(step.container, program, autoRemove);
  container.volume = volume;
  const Binds = [...(volume === undefined ? [] : [`${volume}:/named`]), ...(anonymous ? ['/anonymous'] : [])];
  const outcome = await context.api.call('POST', `/containers/create?name=${container.name}`, {
    Image: 'busybox',
    Cmd: program.command,
    HostConfig: { NetworkMode: step.network, AutoRemove: autoRemove, Binds, ...program.host },
    ...program.config,
  });
  if (volume !== undefined) context.model.volume(volume, 'present', !outcome.lost && outcome.status === 201);
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
  container.ending = true;
  const outcome = await ask(container, `stop?t=${STOP_SECONDS}`, context);
  if (outcome === 'lost') return container.end(false, codes);
  if (outcome.status === 404 && container.may('absent')) return;
  if (outcome.status === 304 && container.possible.size > 1) return;
  if (outcome.status === 304 && !container.may('running')) return;
  container.end(accepts(outcome, [204], context), codes);
}

async function kill(container: ExpectedContainer, context: WorkerContext): Promise<void> {
  container.ending = true;
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
  container.ending = true;
  const outcome = await context.api.call('DELETE', `/containers/${container.name}?force=1&v=1`);
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
    if (!surelyRuns(container) && [404, 409, 500].includes(outcome.status)) return;
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

function ask(container: ExpectedContainer, verb: string, context: WorkerContext): Promise<Answer | 'lost'> {
  return lostOrAsked(context, ['POST', `/containers/${container.name}/${verb}`]);
}
