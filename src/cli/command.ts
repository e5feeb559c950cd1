import type { Invocation } from './context.ts';
import type { Flag } from './flags/flag.ts';

/** How many arguments a command takes. */
export interface ArgumentCount {
  min: number;
  /** Undefined: any number from `min` up. */
  max?: number;
}

/** A command that acts. */
export interface Command {
  /** What follows the command's name in its usage line, `[OPTIONS] CONTAINER [CONTAINER...]`. */
  usage: string;
  /** Paragraphs of help below the first line, for those who have more to say than the catalog. */
  long?: string;
  flags: readonly Flag[];
  args: ArgumentCount;
  /** The API version that the daemon has to speak for it. */
  sinceApi?: string;
  /** It speaks to no daemon: which one is meant need not be known. */
  local?: boolean;
  /** False: flags end at the first argument. Default true. */
  interspersed?: boolean;
  /** Command lines without the program's name, shown at the end of help. */
  examples?: readonly string[];
  /** @returns the exit status. */
  run(invocation: Invocation): Promise<number>;
}

/** A command's place: where it is found, without loading it. */
export interface CatalogEntry {
  /** All the ways to say it, the noun form first: `container ls`, `container list`, `container ps`, `ps`. */
  paths: readonly string[];
  /** More, which help doesn't tell of. */
  hiddenPaths?: readonly string[];
  short: string;
  /** Where top-level help lists it; left out when only the noun form shows. */
  group?: 'common' | 'command';
  load: () => Promise<{ command: Command }>;
}

export interface Noun {
  name: string;
  short: string;
  /** Not in the program's help. */
  hidden?: boolean;
}
