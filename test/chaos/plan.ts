import { ENDLESS, type Program, type ProgramName, programOf } from './program.ts';
import { Random } from './random.ts';

/**
 * What one worker asks of the engine. Each container, and each image, belongs to one worker, so what happens to it happens in this order.
 */
export type Step =
  | {
      kind: 'run';
      container: string;
      program: Program;
      network: string;
      autoRemove: boolean;
      /** A named one; the worker's own. */
      volume: string | undefined;
      /** It has an anonymous one too. */
      anonymous: boolean;
    }
  | { kind: 'start' | 'stop' | 'kill' | 'remove' | 'pause' | 'logs'; container: string }
  | { kind: 'exec'; container: string; lines: number; code: number }
  | { kind: 'update'; container: string; pidsLimit: number }
  | { kind: 'copy'; container: string; text: string }
  | { kind: 'build'; image: string; lasts: number }
  | { kind: 'rm-volume'; volume: string }
  | { kind: 'pull' | 'rmi'; image: string }
  | { kind: 'rude'; manner: RudeManner; container: string }
  | { kind: 'fault'; fault: ProcessFault; container: string };

export type RudeManner = 'vanish' | 'stop-reading' | 'half-close' | 'idle' | 'malformed';
export type ProcessFault = 'monitor-killed' | 'init-stopped';

/** The daemon as it is set up for some rounds. */
export type Setting = 'busy' | 'full-disk' | 'hanging-runtime' | 'long-line' | 'host-reboot';
export const SETTINGS: readonly Setting[] = [
  'busy',
  'full-disk',
  'hanging-runtime',
  'long-line',
  'host-reboot',
];

export interface TimedStep {
  step: Step;
  /** Time to let pass before it. */
  pauseMs: number;
}

export interface Round {
  /** From its begin to SIGKILL of the daemon. */
  killAfterMs: number;
  /** What happens to processes while the daemon is away; `victim`: which of the containers that run for ever, from 0 to 1. */
  faultsMeanwhile: { fault: ProcessFault; victim: number }[];
  downMs: number;
  /** What the OCI runtime hangs in from some moment on until the daemon is killed. */
  hanging: { verb: RuntimeVerb; afterMs: number } | undefined;
}

export type RuntimeVerb = 'create' | 'start' | 'delete';

export interface Episode {
  setting: Setting;
  /** Workers side by side, each with steps without end. A worker goes on over all rounds; the step that a kill cuts off is not repeated. */
  workers: Iterator<TimedStep>[];
  rounds: Round[];
}

export interface PlanOptions {
  /** Rounds of a busy episode. */
  busyRounds: number;
  /** Rounds of an episode in any other setting. */
  otherRounds: number;
  workers: number;
  /** Of the unbroken line. */
  longLineMegabytes: number;
  settings: readonly Setting[];
}

export const IMAGES = ['app0', 'app1', 'app2'] as const;
/** Containers that one worker leaves standing at a time. */
const KEPT_PER_WORKER = 6;
const VOLUMES_PER_WORKER = 2;

const STEPS: Record<Setting, Partial<Record<Step['kind'], number>>> = {
  busy: {
    run: 8,
    start: 2,
    stop: 2,
    kill: 2,
    remove: 4,
    pause: 1,
    logs: 2,
    pull: 2,
    rmi: 1,
    rude: 3,
    fault: 1,
    exec: 5,
    update: 2,
    copy: 3,
    build: 1,
    'rm-volume': 1,
  },
  'full-disk': { run: 6, stop: 1, remove: 3, logs: 1, pull: 3, rmi: 1 },
  'hanging-runtime': { run: 6, stop: 1, remove: 3, logs: 1, rude: 1 },
  'host-reboot': { run: 8, stop: 1, remove: 2, exec: 2, copy: 2, update: 1, build: 1, 'rm-volume': 1 },
  'long-line': { logs: 6, rude: 3, remove: 1 },
};

const PROGRAMS: Partial<Record<ProgramName, number>> = {
  counter: 3,
  'chatty-counter': 2,
  'healthy-counter': 2,
  survivor: 2,
  phoenix: 1,
  'retried-job': 2,
  'deaf-counter': 1,
  'polite-counter': 2,
  'short-job': 8,
  'fork-bomb': 1,
  'memory-hog': 1,
  'double-fork': 1,
  silent: 1,
};

/** The schedule: a pure function of seed and options, without end; the settings take turns. */
export function* planCampaign(seed: number, options: PlanOptions): Generator<Episode> {
  const random = new Random(seed);
  for (let episode = 0; ; episode++) {
    const setting = options.settings[episode % options.settings.length] ?? 'busy';
    yield planEpisode(random, setting, { prefix: `e${episode}`, options });
  }
}

function planEpisode(
  random: Random,
  setting: Setting,
  { prefix, options }: { prefix: string; options: PlanOptions },
): Episode {
  const workers = Array.from({ length: setting === 'long-line' ? 1 : options.workers }, (_, index) => {
    const context = { prefix: `${prefix}w${index}`, image: IMAGES[index], options };
    // Each has numbers of its own: how far one gets does not change the steps of another.
    return new WorkerPlanner(new Random(random.between(0, 2 ** 31)), setting, context).steps();
  });
  const rounds = Array.from({ length: setting === 'busy' ? options.busyRounds : options.otherRounds }, () =>
    planRound(random, setting),
  );
  return { setting, workers, rounds };
}

function planRound(random: Random, setting: Setting): Round {
  const killAfterMs = random.between(150, setting === 'long-line' ? 4000 : 3500);
  const fault = random.pick<ProcessFault>(['monitor-killed', 'init-stopped']);
  const faults = setting === 'busy' && random.chance(0.4) ? [{ fault, victim: random.next() }] : [];
  const verb = random.pick<RuntimeVerb>(['create', 'start', 'delete']);
  const afterMs = random.between(0, killAfterMs);
  return {
    killAfterMs,
    faultsMeanwhile: faults,
    downMs: random.between(0, 700),
    hanging: setting === 'hanging-runtime' ? { verb, afterMs } : undefined,
  };
}

interface WorkerContext {
  options: PlanOptions;
  prefix: string;
  /** The one that it pulls and removes. */
  image: string | undefined;
}

/** Plans the steps of one worker; knows which containers it has asked for. */
class WorkerPlanner {
  readonly #random: Random;
  readonly #setting: Setting;
  readonly #context: WorkerContext;
  #containers: { name: string; program: Program }[] = [];
  #made = 0;

  constructor(random: Random, setting: Setting, context: WorkerContext) {
    this.#random = random;
    this.#setting = setting;
    this.#context = context;
  }

  *steps(): Generator<TimedStep> {
    while (true) {
      const oldest = this.#containers.length > KEPT_PER_WORKER ? this.#containers[0] : undefined;
      const step = oldest === undefined ? this.#step() : this.#remove(oldest.name);
      yield { step, pauseMs: this.#random.between(0, 100) };
    }
  }

  #step(): Step {
    const random = this.#random;
    const kind = random.weighted(STEPS[this.#setting]);
    const { image, prefix } = this.#context;
    if (kind === 'rm-volume') return { kind, volume: this.#volume() };
    if (kind === 'build') return { kind, image: `${prefix}built`, lasts: random.between(0, 8) };
    if ((kind === 'pull' || kind === 'rmi') && image !== undefined) return { kind, image };
    if (kind === 'run' || kind === 'pull' || kind === 'rmi' || this.#containers.length === 0)
      return this.#run();
    const { name: container } = random.pick(this.#containers);
    if (kind === 'remove') return this.#remove(container);
    if (kind === 'rude') {
      const manner = random.pick<RudeManner>(['vanish', 'stop-reading', 'half-close', 'idle', 'malformed']);
      return { kind, manner, container };
    }
    if (kind === 'copy') return { kind, container, text: `copied ${random.between(0, 1e9)}` };
    if (kind === 'fault' || kind === 'exec' || kind === 'update') return this.#onEndless(kind);
    return { kind, container };
  }

  #onEndless(kind: 'fault' | 'exec' | 'update'): Step {
    const random = this.#random;
    const endless = this.#containers.filter(({ program }) => ENDLESS.includes(program.name));
    if (endless.length === 0) return this.#run();
    const { name: container } = random.pick(endless);
    if (kind === 'exec')
      return { kind, container, lines: random.between(1, 30), code: random.between(0, 99) };
    if (kind === 'update') return { kind, container, pidsLimit: random.between(100, 999) };
    return { kind, container, fault: random.pick<ProcessFault>(['monitor-killed', 'init-stopped']) };
  }

  #volume(): string {
    return `${this.#context.prefix}v${this.#random.between(0, VOLUMES_PER_WORKER - 1)}`;
  }

  #run(): Step {
    const random = this.#random;
    const container = `${this.#context.prefix}c${this.#made++}`;
    const long = this.#setting === 'long-line';
    const name = long ? 'long-line' : random.weighted(PROGRAMS);
    const size = long ? this.#context.options.longLineMegabytes : random.between(1, 60);
    const program = programOf(name, size);
    const mayGo = program.exitCode !== undefined && program.restarts === undefined && !long;
    const autoRemove = mayGo && random.chance(0.25);
    if (!autoRemove) this.#containers.push({ name: container, program });
    const network = random.weighted({ bridge: 5, none: 2, host: 1 });
    const volume = !long && random.chance(0.3) ? this.#volume() : undefined;
    const anonymous = !long && random.chance(0.2);
    return { kind: 'run', container, program, network, autoRemove, volume, anonymous };
  }

  #remove(container: string): Step {
    this.#containers = this.#containers.filter(({ name }) => name !== container);
    return { kind: 'remove', container };
  }
}
