/** A client's terminal, with a shell of a build's behind it. */
export interface ClientTerminal {
  /** What is typed; ends when the client closes its half. */
  stdin: AsyncIterable<Uint8Array>;
  /** Resolves when more may be written; rejects once the client is gone. */
  write(stream: 'stdout', data: Uint8Array): Promise<void>;
  /** Aborted when the client is gone. */
  signal: AbortSignal;
  /** Gets the terminal's size, now where it is known and whenever it changes. */
  resized(apply: (size: { columns: number; rows: number }) => void): void;
  /** Nothing more will be written. */
  finish(): void;
}

/** What a client is told before it opens its terminal. */
export interface ShownFailure {
  error: unknown;
  /** The program that waits there: `/bin/sh`. */
  shell: readonly string[];
}

/** Asks a client for its terminal. @throws the signal's reason. */
export type OpenTerminal = (
  failure: ShownFailure,
  options: { signal: AbortSignal },
) => Promise<ClientTerminal>;
