import type { Duplex } from 'node:stream';
import type { ClientBlobs } from './client-blobs.ts';
import type { OpenTerminal } from './client-terminal.ts';

/** What a client that has posted its build can be asked for while it runs. */
export interface PostedCalls {
  blobs(store: string): ClientBlobs;
  /** Ids of the SSH agents that it forwards. */
  agents: ReadonlySet<string>;
  /** A connection to one of them. @throws the signal's reason. */
  connectAgent(id: string, options: { signal: AbortSignal }): Promise<Duplex>;
  /** Undefined: it wants no shell. */
  terminal: OpenTerminal | undefined;
}
