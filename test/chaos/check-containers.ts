import { readlinkSync } from 'node:fs';
import type { ApiCaller } from './api-call.ts';
import { type UsedContainer, useFault } from './check-use.ts';
import type { ExpectedContainer, Model, Phase } from './model.ts';
import { numberingFault } from './numbered-log.ts';
import type { Setting } from './plan.ts';
import { statOf } from './reap-orphans.ts';
import type { Tally } from './tally.ts';

export interface CheckContext {
  api: ApiCaller;
  model: Model;
  tally: Tally;
  setting: Setting;
}

interface Inspected extends UsedContainer {
  State: {
    Status: string;
    Pid: number;
    ExitCode: number;
    OOMKilled: boolean;
    Error: string;
  } & UsedContainer['State'];
}

const FIRST_LINE_MS = 15_000;
/** The time that a stop gives, and some. */
const RESUMED_STOP_MS = 2_000;
/** A gigabyte through a pipe and a log takes its time on a slow machine. */
const OWN_END_MS = 180_000;

/** Hold what the engine says of each container, and what is there of it, against the model; from then on the model is certain. */
export async function checkContainers(context: CheckContext): Promise<void> {
  const { api, model, tally } = context;
  const listed = await api.json<{ Names: string[] }[]>('/containers/json?all=1');
  for (const name of listed.map(({ Names }) => Names[0]?.slice(1) ?? ''))
    if (!model.containers.has(name))
      tally.violations.push(`${name}: is there, and was never made or is removed`);
  await awaitResumedStops(context);
  let alive = 0;
  for (const container of model.containers.values()) {
    const wrong = await checkOne(container, context);
    if (wrong !== undefined) tally.violations.push(`${container.name} (${container.program.name}): ${wrong}`);
    if (container.pid !== undefined) alive++;
  }
  tally.mostAlive = Math.max(tally.mostAlive, alive);
  model.forgetAbsent();
}

/** A stop whose answer was lost may be gone on with: what runs on after its time has not been told of it. */
async function awaitResumedStops({ api, model }: CheckContext): Promise<void> {
  const deadline = performance.now() + RESUMED_STOP_MS;
  for (const container of model.containers.values()) {
    if (!container.ending || !container.may('running')) continue;
    while (performance.now() < deadline && (await inspect(container, api))?.State.Running === true)
      await Bun.sleep(100);
  }
}

/** Wait until what ends of itself has ended. */
export async function awaitEnds({ api, model, tally }: CheckContext): Promise<void> {
  const deadline = performance.now() + OWN_END_MS;
  for (const container of model.containers.values()) {
    if (container.program.exitCode === undefined || !container.may('running')) continue;
    while ((await inspect(container, api))?.State.Running === true) {
      if (performance.now() > deadline) {
        tally.violations.push(`${container.name} (${container.program.name}): does not end`);
        break;
      }
      await Bun.sleep(100);
    }
  }
}

async function inspect(
  { name }: ExpectedContainer,
  api: ApiCaller,
): Promise<(Inspected & { State: { Running: boolean } }) | undefined> {
  const outcome = await api.call('GET', `/containers/${name}/json`);
  if (!outcome.lost && outcome.status === 404) return undefined;
  if (outcome.lost || outcome.status !== 200) throw new Error(`inspect ${name}: ${JSON.stringify(outcome)}`);
  return JSON.parse(outcome.body) as Inspected & { State: { Running: boolean } };
}

async function checkOne(container: ExpectedContainer, context: CheckContext): Promise<string | undefined> {
  const { api } = context;
  let seen = await inspect(container, api);
  if (seen?.State.Status === 'paused') {
    await api.call('POST', `/containers/${container.name}/unpause`);
    seen = await inspect(container, api);
  }
  const phase = seen === undefined ? 'absent' : phaseOf(seen.State.Status);
  const possible = [...container.possible].join(' or ');
  const before = container.pid;
  const wasPossible = container.may(phase);
  const mustRun = container.possible.size === 1 && container.may('running');
  container.settle(phase, seen?.State.Pid);
  const told = JSON.stringify(seen?.State);
  if (!wasPossible) return `is ${phase} where ${possible} was due: ${told}`;
  if (seen === undefined || phase === 'created') return undefined;
  if (phase === 'running') {
    if (mustRun && !comesAgain(container) && before !== undefined && before !== seen.State.Pid)
      return `runs with another process (${seen.State.Pid}, before ${before})`;
    const wrong =
      processFault(container, seen.State.Pid) ??
      (await firstLineFault(container, api)) ??
      (await useFault(container, seen, context));
    if (wrong !== undefined) return wrong;
  }
  const wrong = phase === 'exited' ? exitFault(container, seen, context) : undefined;
  return wrong ?? (await logFault(container, context, { whole: phase === 'exited' }));
}

/** One that its policy starts again is running, for clients too. */
function phaseOf(status: string): Phase {
  return status === 'restarting' ? 'running' : (status as Phase);
}

function comesAgain({ program }: ExpectedContainer): boolean {
  return program.restarts !== undefined;
}

function exitFault(
  container: ExpectedContainer,
  { State, RestartCount }: Inspected,
  { tally, setting }: CheckContext,
): string | undefined {
  tally.exits++;
  const told = JSON.stringify(State);
  if (!container.codes.has(State.ExitCode))
    return `exit code is none of ${[...container.codes].join()}: ${told}`;
  const { restarts = 0 } = container.program;
  const ownEnd = !container.interrupted && container.starts === 1 + restarts;
  tally.policyRestarts += RestartCount;
  if (ownEnd && RestartCount !== restarts)
    return `was started again ${RestartCount} times instead of ${restarts}`;
  if (ownEnd && container.program.outOfMemory === true && !State.OOMKilled) return `no OOMKilled: ${told}`;
  if (ownEnd && State.Error !== '' && setting !== 'full-disk') return `an error of its own end: ${told}`;
  return undefined;
}

/** What never ends must be running indeed, and be the command, not an OCI runtime that waits to let it go. */
function processFault({ program }: ExpectedContainer, pid: number): string | undefined {
  if (program.exitCode !== undefined || program.restarts !== undefined) return undefined;
  const [state] = statOf(pid);
  if (state === undefined || state === 'Z') return `is told to run, and process ${pid} is gone`;
  try {
    const path = readlinkSync(`/proc/${pid}/exe`);
    return path.endsWith('busybox') ? undefined : `its process ${pid} is ${path}`;
  } catch {
    return `is told to run, and process ${pid} is gone`;
  }
}

async function firstLineFault(
  { name, program, frozen }: ExpectedContainer,
  api: ApiCaller,
): Promise<string | undefined> {
  if (program.exitCode !== undefined || frozen) return undefined;
  const deadline = performance.now() + FIRST_LINE_MS;
  while (performance.now() < deadline) {
    let length = 0;
    await api.logs(name, (text) => {
      length += text.length;
    });
    if (length > 0) return undefined;
    await Bun.sleep(100);
  }
  return `runs, and has printed nothing in ${FIRST_LINE_MS} ms`;
}

/** @param whole whether no run of it is going on */
export async function logFault(
  container: ExpectedContainer,
  { api, tally, setting }: CheckContext,
  { whole }: { whole: boolean },
): Promise<string | undefined> {
  const { program } = container;
  if (program.unbrokenBytes !== undefined) return await longLineFault(container, { api, tally }, whole);
  let text = '';
  const read = await api.logs(container.name, (part) => {
    text += part;
  });
  // Where the disk was full, what could not be written is lost.
  if (read === undefined || setting === 'full-disk') return undefined;
  tally.logs++;
  tally.lines += text.split('\n').length - 1;
  const wrong = numberingFault(text, {
    runs: container.starts,
    lines: program.lines,
    mayLack: !whole || container.interrupted,
    rotated: program.rotated === true,
  });
  return wrong === undefined ? undefined : `its log: ${wrong}`;
}

async function longLineFault(
  { name, program, interrupted, starts }: ExpectedContainer,
  { api, tally }: Pick<CheckContext, 'api' | 'tally'>,
  whole: boolean,
): Promise<string | undefined> {
  tally.logs++;
  let bytes = 0;
  let other = 0;
  await api.logs(name, (text) => {
    bytes += text.length;
    if (!/^x*$/.test(text)) other++;
  });
  if (other > 0) return `its log has other bytes in ${other} pieces`;
  const due = (program.unbrokenBytes ?? 0) * starts;
  const right = whole && !interrupted ? bytes === due : bytes <= due;
  return right ? undefined : `its log has ${bytes} bytes of ${due}`;
}
