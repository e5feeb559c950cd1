import type { TimedCall } from '../../client/timed-transport.ts';
import type { ServerStep } from '../../wire/server-timing.ts';

/** What the daemon's steps are, in words. */
const STEPS: Readonly<Record<string, string>> = {
  snapshot: 'writable layer made',
  commit: 'record on disk',
  'last-run': 'last run cleared away',
  log: 'log made ready',
  root: 'root file system mounted',
  mounts: 'volumes and mounts made ready',
  network: 'network joined, its files written',
  namespace: 'network namespace made',
  endpoints: 'interfaces, addresses and names',
  ports: 'ports published',
  spec: 'runtime specification built',
  runtime: 'container made by the OCI runtime',
  streams: 'streams connected',
  'let-go': 'command let go',
};
/** Part of `network`, which begins before them. */
const WITHIN_NETWORK = new Set(['namespace', 'endpoints', 'ports']);

export interface RunTimes {
  calls: readonly TimedCall[];
  /** Of `performance.now()`, whose zero is the start of this program. */
  begunMs: number;
  /** The output and the exit code were there. */
  endedMs: number;
}

/**
 * Where the time of one run went: what follows one after another adds up to the whole; what the daemon did within a call stands below it, some of
 * it side by side.
 */
export function runTiming({ calls, begunMs, endedMs }: RunTimes): string {
  const lines = [...phasesOf({ calls, begunMs, endedMs })];
  const rows = lines.map(({ name, startMs, endMs, depth }) => {
    const took = milliseconds(endMs - startMs);
    return `${milliseconds(startMs)}  ${' '.repeat(9 * depth)}${took}  ${name}`;
  });
  return ['    at ms      took', ...rows, `${milliseconds(0)}  ${milliseconds(endedMs)}  in all`, ''].join(
    '\n',
  );
}

interface Phase {
  name: string;
  startMs: number;
  endMs: number;
  depth: number;
}

function* phasesOf({ calls, begunMs, endedMs }: RunTimes): Generator<Phase> {
  yield { name: 'this program begun', startMs: 0, endMs: begunMs, depth: 0 };
  let at = begunMs;
  for (const group of groupsOf(calls)) {
    const startMs = at;
    const endMs = Math.max(startMs, ...group.map((call) => call.endMs));
    yield { name: group.map(nameOf).join(' and '), startMs, endMs, depth: 0 };
    for (const call of group) yield* serverPhases(call);
    at = endMs;
  }
  yield { name: 'the command, its output and its end', startMs: at, endMs: endedMs, depth: 0 };
}

/** Calls that were under way at once are one step: the last of them decides. */
function groupsOf(calls: readonly TimedCall[]): TimedCall[][] {
  const groups: TimedCall[][] = [];
  let untilMs = Number.NEGATIVE_INFINITY;
  for (const call of calls.toSorted((one, other) => one.startMs - other.startMs)) {
    const last = groups.at(-1);
    if (last !== undefined && call.startMs < untilMs) last.push(call);
    else groups.push([call]);
    untilMs = Math.max(untilMs, call.endMs);
  }
  return groups;
}

function* serverPhases({ server, startMs, endMs }: TimedCall): Generator<Phase> {
  if (server === undefined) return;
  // The two clocks have nothing in common: the way there is taken to be as long as the way back.
  const beganMs = startMs + Math.max(0, endMs - startMs - server.totalMs) / 2;
  for (const step of server.steps)
    yield {
      name: STEPS[step.name] ?? step.name,
      startMs: beganMs + step.startMs,
      endMs: beganMs + step.endMs,
      depth: depthOf(step),
    };
}

function depthOf({ name }: ServerStep): number {
  return WITHIN_NETWORK.has(name) ? 2 : 1;
}

function nameOf({ method, path }: TimedCall): string {
  const words = path.replace(/\?.*$/, '').split('/');
  const verb = words.at(-1) ?? '';
  return method === 'POST' ? verb : `${method.toLowerCase()} ${verb}`;
}

function milliseconds(ms: number): string {
  return ms.toFixed(1).padStart(7);
}
