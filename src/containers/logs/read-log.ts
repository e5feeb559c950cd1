import type { LogLine, LogRequest } from '../container-backend.ts';
import { Growth } from './growth.ts';
import { PartJoiner } from './join-parts.ts';
import { LogCursor } from './log-cursor.ts';
import type { LogFiles } from './log-files.ts';

export interface LogSource {
  files: LogFiles;
  /** Resolves once the journal will grow no more: the container has stopped. */
  ended: Promise<void>;
}

/**
 * The journal of a container as `docker logs` shows it, many lines at a time. Ends at its end, or with `follow` when the container has
 * stopped.
 */
export async function* readLog(
  source: LogSource,
  request: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<LogLine[]> {
  const isWanted = wish(request);
  const { untilNano } = request;
  const growth = request.follow ? new Growth(source.files.directory, signal) : undefined;
  let stopped = !request.follow;
  void source.ended.then(() => {
    stopped = true;
    growth?.wake();
  });
  const cursor = new LogCursor(source.files);
  const joiner = new PartJoiner();
  try {
    while (!signal.aborted) {
      const isLast = stopped;
      for await (const records of cursor.advance(request)) {
        const lines = joiner.push(records);
        const found = lines.filter(isWanted);
        if (found.length > 0) yield found;
        const last = records.at(-1);
        if (untilNano !== undefined && last !== undefined && last.timeNano > untilNano) return;
      }
      const rest = isLast ? joiner.rest().filter(isWanted) : [];
      if (rest.length > 0) yield rest;
      if (isLast || growth === undefined) return;
      await growth.next();
    }
  } finally {
    growth?.close();
    await cursor.close();
  }
}

function wish({ sinceNano, untilNano, stdout, stderr }: LogRequest): (line: LogLine) => boolean {
  return ({ stream, timeNano }) =>
    (stream === 'stdout' ? stdout : stderr) &&
    (sinceNano === undefined || timeNano >= sinceNano) &&
    (untilNano === undefined || timeNano <= untilNano);
}
