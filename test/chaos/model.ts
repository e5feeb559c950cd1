import type { Program } from './program.ts';

export type Phase = 'absent' | 'created' | 'running' | 'exited';

const SIGKILLED = 137;
const START_FAILED = 128;

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
  frozen = false;

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

  create(certain: boolean): void {
    if (certain) this.is('created');
    else this.maybe('created');
  }

  start(certain: boolean): void {
    // A start that was taken back leaves the code of a failed one.
    if (!certain && this.may('exited')) this.codes.add(START_FAILED);
    this.starts++;
    this.pid = undefined;
    if (certain) this.frozen = false;
    if (this.program.exitCode !== undefined) this.codes.add(this.program.exitCode);
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

  /** The engine has told the phase: from here on it is certain. */
  settle(phase: Phase, pid: number | undefined): void {
    const ends: Phase[] =
      phase === 'running' && this.program.exitCode !== undefined
        ? [this.autoRemove ? 'absent' : 'exited']
        : [];
    this.is(phase, ...ends);
    this.pid = phase === 'running' ? pid : undefined;
  }
}

/** All that the campaign has asked for since the daemon was set up. */
export class Model {
  readonly containers = new Map<string, ExpectedContainer>();
  /** What may be the case of each image. */
  readonly images = new Map<string, Set<'absent' | 'present'>>();

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
