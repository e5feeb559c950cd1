import { isatty } from 'node:tty';
import type { Sink, Source } from './sink.ts';
import { writeFully } from './write-fully.ts';

/** The process's own output, by its descriptor: no stream of Node's is set up for it, which would cost milliseconds. */
export function processSink(fd: 1 | 2): Sink {
  const stream = () => (fd === 1 ? process.stdout : process.stderr);
  const encoder = new TextEncoder();
  return {
    get isTerminal() {
      return isatty(fd);
    },
    size() {
      if (!isatty(fd)) return { width: 0, height: 0 };
      return { width: stream().columns ?? 0, height: stream().rows ?? 0 };
    },
    write: (data) => writeFully(fd, typeof data === 'string' ? encoder.encode(data) : data),
  };
}

export function processSource(): Source {
  return {
    get isTerminal() {
      return isatty(0);
    },
    async *chunks() {
      for await (const chunk of process.stdin) yield chunk as Uint8Array;
    },
    setRaw(raw) {
      if (process.stdin.isTTY) process.stdin.setRawMode(raw);
    },
  };
}
