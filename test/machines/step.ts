import type { Guest } from './guest.ts';
import type { Platform } from './platform.ts';
import type { Hardware, VirtualMachine } from './virtual-machine.ts';

/** What a step finds: the page's cells, by row, and what should not be. */
export interface StepOutcome {
  cells: Record<string, string>;
  problems: string[];
  /** There is more to do than was done. */
  unfinished?: boolean;
  cuts?: PowerCut[];
}

/** One pull of the plug. */
export interface PowerCut {
  /** The engine's. */
  commit: string;
  /** Of work before it. */
  seconds: string;
  /** What was there after the boot, and looked at. */
  seen: string;
  problems: string[];
}

export interface StepContext {
  platform: Platform;
  guest: Guest;
  machine: VirtualMachine;
  hardware: Hardware;
  /** What the machine prints goes there. */
  log: string;
  say: (line: string) => void;
  /** The checkout on this host. */
  root: string;
  /** Of it, what is tried. */
  commit: string;
  /** Lines of a `.npmrc`. */
  npm: readonly string[];
  environment: readonly string[];
  /** Of this step on this platform, by whatever engine. */
  earlier: StepOutcome | undefined;
  /** Writes down what was found so far: a run may be ended. */
  note(outcome: StepOutcome): void;
}

/** What a step rejects with counts as a problem. */
export type Step = (context: StepContext) => Promise<StepOutcome>;

/** Where the checkout lies in a machine. */
export const CHECKOUT = '/root/sampan';
