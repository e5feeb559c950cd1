import type { Program } from './program.ts';

export type Phase = 'absent' | 'created' | 'running' | 'exited';

const SIGKILLED = 137;
const START_FAILED = 128;
const HOST_LOST = 255;

/**
 * What should be there of one container. A request whose answer was lost with the daemon may have been carried out or not, so several
 * phases may be possible until the engine is asked again.
 */
export class ExpectedContainer {
  readonly name: string;
  readonly program: Program;
  readonly autoRemove: boolean;
  possible = new Set<Phase>(['absent']);
  /** Codes with which it may have exited. */
  readonly codes = new Set<number>();
  /** How often it may have been started. */
  starts = 0;
  id: string | undefined;
  /** Of the run that the engine was seen to have. */
  pid: number | undefined;
  /** A run of it was ended from outside: it may have printed less than all. */
  interrupted = false;
  monitorKilled = false;
  readonly execs: ExpectedExec[] = [];
  /** What it may be limited to; empty: nothing was said of it. */
  pidsLimits = new Set<number>();
  /** What was copied into it; undefined: nothing, or nothing certain. */
  copied: string | undefined;
  volume: string | undefined;
  frozen = false;
  /** Its end has been asked for since it was last looked at, answered or not: what is done in it meanwhile may find it gone. */
  ending = false;

  constructor(name: string, program: Program, autoRemove: boolean) {
    this.name = name;
    this.program = program;
    this.autoRemove = autoRemove;
  }

  /** It is in one of these phases for certain. */
  is(...phases: Phase[]): void {
    this.possible = new Set(phases);
  }

  /** It is in one of these, or as before. */
  maybe(...phases: Phase[]): void {
    for (const phase of phases) this.possible.add(phase);
  }

  may(phase: Phase): boolean {
    return this.possible.has(phase);
  }

  get mayBeThere(): boolean {
    return [...this.possible].some((phase) => phase !== 'absent');
  }

  create(certain: boolean): void {
    if (certain) this.is('created');
    else this.maybe('created');
  }

  start(certain: boolean): void {
    // A start that was taken back leaves the code of a failed one.
    if (!certain && this.may('exited')) this.codes.add(START_FAILED);
    this.starts += 1 + (this.program.restarts ?? 0);
    this.pid = undefined;
    if (certain) this.frozen = false;
    const code = this.program.exitCode ?? this.program.runCode;
    if (code !== undefined) this.codes.add(code);
    this.execs.length = 0;
    const ends: Phase[] =
      this.program.exitCode === undefined ? [] : this.autoRemove ? ['absent'] : ['exited'];
    if (certain) this.is('running', ...ends);
    else this.maybe('running', ...ends);
  }

  /** A signal that ends it, now or soon; `codes`: how it may end. */
  end(certain: boolean, codes: readonly number[] = [SIGKILLED]): void {
    if (!this.may('running')) return;
    this.interrupted = true;
    for (const code of codes) this.codes.add(code);
    const ended: Phase = this.autoRemove ? 'absent' : 'exited';
    this.maybe(ended);
    if (certain) this.possible.delete('running');
  }

  killMonitor(): void {
    this.monitorKilled = true;
    this.end(false);
  }

  remove(certain: boolean): void {
    this.end(false);
    if (certain) this.is('absent');
    else this.maybe('absent');
  }

  /** The machine went down under it: what its policy does not start again has ended, and nobody knows how. */
  loseHost(): void {
    this.pid = undefined;
    this.frozen = false;
    this.execs.length = 0;
    if (!this.may('running')) return this.loseDaemon();
    this.interrupted = true;
    for (const code of [HOST_LOST, START_FAILED, SIGKILLED]) this.codes.add(code);
    const policy = this.program.host['RestartPolicy'] as { Name: string } | undefined;
    if (policy === undefined) this.end(true);
    else if (this.program.exitCode !== undefined) this.starts += 1 + (this.program.restarts ?? 0);
    else this.starts++;
  }

  /**
   * The daemon was killed, and the next one has begun. As Docker, it starts what its policy retries on failure, whoever had ended it: a code that is
   * none of success and retries that are left are all it asks for.
   */
  loseDaemon(): void {
    const retries = this.program.restarts;
    if (retries === undefined || this.program.exitCode === undefined || !this.interrupted) return;
    if (!this.may('exited') && !this.may('running')) return;
    this.starts += 1 + retries;
    this.maybe('running', 'exited');
  }

  /** The engine has told the phase: from here on it is certain. */
  settle(phase: Phase, pid: number | undefined): void {
    const ends: Phase[] =
      phase === 'running' && this.program.exitCode !== undefined
        ? [this.autoRemove ? 'absent' : 'exited']
        : [];
    this.is(phase, ...ends);
    this.ending = false;
    this.pid = phase === 'running' ? pid : undefined;
  }
}

/** A command of the campaign in a container: it prints numbered lines and ends with `code`. */
export interface ExpectedExec {
  id: string;
  code: number;
  /** Its start was answered, so it can't be one that has never been. */
  started: boolean;
}

/** All that the campaign has asked for since the daemon was set up. */
export class Model {
  readonly containers = new Map<string, ExpectedContainer>();
  /** What may be the case of each image. */
  readonly images = new Map<string, Set<'absent' | 'present'>>();
  /** What may be the case of each volume, and what was copied into it for certain. */
  readonly volumes = new Map<string, { possible: Set<'absent' | 'present'>; files: Map<string, string> }>();
  readonly builds = new Map<string, Set<'absent' | 'present'>>();

  volume(name: string, state: 'absent' | 'present', certain: boolean): void {
    const known = this.volumes.get(name) ?? { possible: new Set(['absent']), files: new Map() };
    known.possible = new Set([...(certain ? [] : known.possible), state]);
    if (state === 'absent') known.files.clear();
    this.volumes.set(name, known);
  }

  build(name: string, state: 'absent' | 'present', certain: boolean): void {
    const before = certain ? [] : (this.builds.get(name) ?? ['absent']);
    this.builds.set(name, new Set([...before, state]));
  }

  add(name: string, program: Program, autoRemove: boolean): ExpectedContainer {
    const container = new ExpectedContainer(name, program, autoRemove);
    this.containers.set(name, container);
    return container;
  }

  /** What is gone for good need not be looked for by name any more. */
  forgetAbsent(): void {
    for (const [name, { possible }] of this.containers)
      if (possible.size === 1 && possible.has('absent')) this.containers.delete(name);
  }

  /** @param certain whether the engine has answered; else it may be as before */
  image(name: string, state: 'absent' | 'present', certain: boolean): void {
    const before = certain ? [] : (this.images.get(name) ?? ['absent']);
    this.images.set(name, new Set([...before, state]));
  }
}
