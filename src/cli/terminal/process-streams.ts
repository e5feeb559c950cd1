import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import type { Sink, Source } from './sink.ts';

/** Loaded when first asked for: it takes longer than everything else until the daemon has our first byte. */
function isatty(fd: number): boolean {
  return (import.meta.require('node:tty') as typeof import('node:tty')).isatty(fd);
}

/** The process's own output, by its descriptor: no stream of Node's is set up for it, which would cost milliseconds. */
export function processSink(fd: 1 | 2): Sink {
  const stream = () => (fd === 1 ? process.stdout : process.stderr);
  const file = fd === 1 ? Bun.stdout : Bun.stderr;
  return {
    get isTerminal() {
      return isatty(fd);
    },
    size() {
      if (!isatty(fd)) return { width: 0, height: 0 };
      return { width: stream().columns ?? 0, height: stream().rows ?? 0 };
    },
    async write(data) {
      if (data.length === 0) return;
      try {
        await Bun.write(file, data);
      } catch (error) {
        throw writeError(fd, error);
      }
    },
  };
}

/** A reader that has gone keeps its errno, for the caller to end quietly; a full disk is told as the shell tells it. */
function writeError(fd: 1 | 2, error: unknown): unknown {
  if (errnoCodeOf(error) !== 'ENOSPC') return error;
  const where = fd === 1 ? '/dev/stdout' : '/dev/stderr';
  return new EngineError('internal', `write ${where}: no space left on device`, { cause: error });
}

export function processSource(): Source {
  let raw = false;
  return {
    get isTerminal() {
      return isatty(0);
    },
    async *chunks() {
      for await (const chunk of process.stdin) yield chunk as Uint8Array;
    },
    async setRaw(wanted) {
      if (!process.stdin.isTTY) return;
      raw = wanted;
      process.stdin.setRawMode(wanted);
      if (!wanted) return;
      // Bun's raw mode makes `\r\n` of what the container's own terminal has ended with `\r\n` already.
      const { keepOutputAsItIs } = await import('../../sys/terminal-modes.ts');
      if (raw) keepOutputAsItIs(0);
    },
    async setEcho(echo) {
      const { setTerminalEcho } = await import('../../sys/terminal-modes.ts');
      setTerminalEcho(0, echo);
    },
  };
}
