import type { BuildEvent } from '../../builder/build-progress.ts';
import type { BuildMessage } from '../../wire/build.ts';
import { formatTime } from '../../wire/time.ts';

/** An event in the form of BuildKit's `rawjson`; undefined: nothing of it is told. */
export function buildMessage(event: BuildEvent): BuildMessage | undefined {
  switch (event.type) {
    case 'vertex': {
      const { digest, inputs, name, startedNano, completedNano, cached, error, lines, explanation } =
        event.vertex;
      return {
        vertexes: [
          {
            digest,
            ...(inputs.length === 0 ? {} : { inputs: [...inputs] }),
            name,
            ...(startedNano === undefined ? {} : { started: formatTime(startedNano) }),
            ...(completedNano === undefined ? {} : { completed: formatTime(completedNano) }),
            ...(cached ? { cached } : {}),
            ...(error === undefined ? {} : { error }),
            ...(lines === undefined ? {} : { lines }),
            ...(explanation === undefined ? {} : { explanation }),
          },
        ],
      };
    }
    case 'log': {
      const { vertex, stream, data, timeNano } = event.log;
      return {
        logs: [
          { vertex, stream, data: Buffer.from(data).toString('base64'), timestamp: formatTime(timeNano) },
        ],
      };
    }
    case 'transfer': {
      const { id, vertex, name, current, total, timeNano, startedNano, completedNano } = event.transfer;
      return {
        statuses: [
          {
            id,
            vertex,
            name,
            ...(total > 0 ? { total } : {}),
            current,
            timestamp: formatTime(timeNano),
            ...(startedNano === undefined ? {} : { started: formatTime(startedNano) }),
            ...(completedNano === undefined ? {} : { completed: formatTime(completedNano) }),
          },
        ],
      };
    }
    case 'warning': {
      const { vertex, level, short, detail, url, lines } = event.warning;
      const base64 = (text: string): string => Buffer.from(text).toString('base64');
      return {
        warnings: [
          {
            ...(vertex === undefined ? {} : { vertex }),
            level,
            short: base64(short),
            detail: detail.map(base64),
            ...(url === '' ? {} : { url }),
            ...(lines === undefined
              ? {}
              : { range: [{ start: { line: lines.start }, end: { line: lines.end } }] }),
          },
        ],
      };
    }
    case 'dockerfile':
    case 'plan':
      return undefined;
  }
}
