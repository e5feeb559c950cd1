/** Where a command's output goes. */
export interface Sink {
  readonly isTerminal: boolean;
  /** Width and height in characters; zeros when it is no terminal. */
  size(): { width: number; height: number };
  /** Resolves when the bytes are handed to the kernel. @throws EPIPE when nobody reads any more. */
  write(data: string | Uint8Array): Promise<void>;
}

/** Where a command's input comes from. */
export interface Source {
  readonly isTerminal: boolean;
  chunks(): AsyncIterable<Uint8Array>;
  /** Keys as they are typed, unechoed, and output as it is; the terminal's own mode comes back with `false`. */
  setRaw(raw: boolean): Promise<void>;
  /** Whether the terminal shows what is typed; lines and Ctrl-C work on. */
  setEcho(echo: boolean): Promise<void>;
}
