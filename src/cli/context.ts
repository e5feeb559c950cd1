import type { EngineClient } from '../client/engine-client.ts';
import type { ByteStream } from '../client/transport.ts';
import type { ParsedFlags } from './flags/flag-set.ts';
import type { HostChoice } from './host.ts';
import type { StartConfig } from './start-config.ts';
import type { Sink, Source } from './terminal/sink.ts';

/** The world that a command acts in; tests give it another. */
export interface CliContext {
  /** The name it was called by: `sampan` or `docker`. */
  program: string;
  stdin: Source;
  stdout: Sink;
  stderr: Sink;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  globals: GlobalOptions;
  config: StartConfig;
  client(): EngineClient;
  /** The daemon that the client talks to. */
  endpoint: string;
  /** What was said of it. */
  hostChoice: HostChoice;
  /** A connection of one's own to it. */
  dial(): Promise<ByteStream>;
  /** Seconds since 1970. */
  now(): number;
}

export interface GlobalOptions {
  configDirectory: string;
  debug: boolean;
  logLevel: string;
}

/** What a command gets: its flags and arguments, and the world. */
export interface Invocation {
  /** The words that called it: `images`, or `image ls`. */
  path: string;
  context: CliContext;
  flags: ParsedFlags;
  args: readonly string[];
  client: EngineClient;
}
