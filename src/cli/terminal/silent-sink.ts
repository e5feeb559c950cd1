import type { Sink } from './sink.ts';

/** Takes everything and shows nothing. */
export const silentSink: Sink = {
  isTerminal: false,
  size: () => ({ width: 0, height: 0 }),
  write: async () => undefined,
};
