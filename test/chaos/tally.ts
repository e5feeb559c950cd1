import type { Setting } from './plan.ts';

/** What was done and seen, for the summary. */
export interface Tally {
  episodes: Partial<Record<Setting, number>>;
  rounds: number;
  kills: number;
  steps: number;
  /** Requests whose answer was lost with the daemon. */
  lost: number;
  containers: number;
  mostAlive: number;
  exits: number;
  logs: number;
  lines: number;
  pulls: number;
  execs: number;
  copies: number;
  updates: number;
  builds: number;
  volumes: number;
  /** Restarts by policy that were counted. */
  policyRestarts: number;
  healthy: number;
  wholeImages: number;
  rudeClients: number;
  processFaults: number;
  restartsMs: number[];
  /** Of a daemon that has answered all questions of a round, its largest resident size. */
  mostResidentBytes: number;
  violations: string[];
}

export function newTally(): Tally {
  return {
    episodes: {},
    rounds: 0,
    kills: 0,
    steps: 0,
    lost: 0,
    containers: 0,
    mostAlive: 0,
    exits: 0,
    logs: 0,
    lines: 0,
    pulls: 0,
    execs: 0,
    copies: 0,
    updates: 0,
    builds: 0,
    volumes: 0,
    policyRestarts: 0,
    healthy: 0,
    wholeImages: 0,
    rudeClients: 0,
    processFaults: 0,
    restartsMs: [],
    mostResidentBytes: 0,
    violations: [],
  };
}

/** The summary table, and below it what broke. */
export function renderTally(tally: Tally, seed: number, seconds: number): string {
  const restarts = [...tally.restartsMs].sort((a, b) => a - b);
  const at = (part: number) => Math.round(restarts[Math.floor((restarts.length - 1) * part)] ?? 0);
  const episodes = Object.entries(tally.episodes).map(([name, count]) => `${count} ${name}`);
  const rows: [string, string | number][] = [
    ['seed', seed],
    ['time', `${Math.round(seconds)} s`],
    ['episodes', episodes.join(', ')],
    ['rounds', tally.rounds],
    ['daemon killed', tally.kills],
    ['requests sent by workers', tally.steps],
    ['  cut off by a kill', tally.lost],
    ['containers started', tally.containers],
    ['  most at once', tally.mostAlive],
    ['exit codes checked', tally.exits],
    ['logs compared', `${tally.logs} (${tally.lines} lines)`],
    ['exit codes of execs checked', tally.execs],
    ['restarts by policy seen', tally.policyRestarts],
    ['health found well', tally.healthy],
    ['updates, copies', `${tally.updates}, ${tally.copies}`],
    ['volumes found whole', tally.volumes],
    ['builds', tally.builds],
    ['pulls', tally.pulls],
    ['  images found whole', tally.wholeImages],
    ['rude clients', tally.rudeClients],
    ['monitors killed, inits stopped', tally.processFaults],
    ['restart, median', `${at(0.5)} ms`],
    ['restart, longest', `${at(1)} ms`],
    ['daemon memory, most', `${Math.round(tally.mostResidentBytes / 2 ** 20)} MB`],
    ['invariants broken', tally.violations.length],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
  return [table, ...tally.violations.map((violation) => `BROKEN ${violation}`)].join('\n');
}
