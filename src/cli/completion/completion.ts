import type { EngineClient } from '../../client/engine-client.ts';

/** What the shell is to do with the values: bits of cobra's protocol, which the scripts of Docker's plugins speak too. */
export const Directive = {
  /** Complete files when no value fits. */
  files: 0,
  error: 1,
  /** No blank behind the value. */
  noSpace: 2,
  noFiles: 4,
  /** Complete folders. */
  folders: 16,
} as const;

/** What fits. A value may be followed by a tab and its description. */
export interface Completion {
  values: readonly string[];
  directive: number;
}

/** What is there when a value is looked for. */
export interface Question {
  /** The arguments before it. */
  args: readonly string[];
  /** Whether a flag of the command was given as true. */
  isSet(flag: string): boolean;
  /** What has been typed of it. */
  typed: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Folder of the client's configuration. */
  configDirectory: string;
  /** The daemon, connected to when somebody asks it. */
  client(): Promise<EngineClient>;
}

/** Knows the values of a kind of argument or flag. It may reject when the daemon doesn't answer. */
export type Source = (question: Question) => Completion | Promise<Completion>;

export const NOTHING: Completion = { values: [], directive: Directive.noFiles };
export const FILES: Completion = { values: [], directive: Directive.files };
export const FOLDERS: Completion = { values: [], directive: Directive.folders };

export function valuesOf(values: readonly string[], directive: number = Directive.noFiles): Completion {
  return { values, directive };
}
