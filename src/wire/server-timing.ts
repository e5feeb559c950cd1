/** Asks a daemon of Sampan's to say where the time went: its answer has `Server-Timing` then. Any value will do. */
export const TIMING_HEADER = 'x-sampan-timing';

/** Milliseconds since the request came in. */
export interface ServerStep {
  name: string;
  startMs: number;
  endMs: number;
}

/** What a daemon says of one request. */
export interface ServerTiming {
  totalMs: number;
  steps: readonly ServerStep[];
}

/** W3C's `Server-Timing`, `total;dur=9.1, root;dur=2.5;start=0.4`; `start` is our own. */
export function encodeServerTiming({ totalMs, steps }: ServerTiming): string {
  const parts = steps.map(
    ({ name, startMs, endMs }) => `${name};dur=${rounded(endMs - startMs)};start=${rounded(startMs)}`,
  );
  return [`total;dur=${rounded(totalMs)}`, ...parts].join(', ');
}

/** What is no timing of ours is left out; undefined: nothing is. */
export function parseServerTiming(text: string): ServerTiming | undefined {
  let totalMs: number | undefined;
  const steps: ServerStep[] = [];
  for (const part of text.split(',')) {
    const [, name, took, start] = /^ *([a-z-]+);dur=([0-9.]+)(?:;start=([0-9.]+))? *$/.exec(part) ?? [];
    if (name === undefined) continue;
    if (start !== undefined)
      steps.push({ name, startMs: Number(start), endMs: Number(start) + Number(took) });
    else if (name === 'total') totalMs = Number(took);
  }
  return totalMs === undefined ? undefined : { totalMs, steps };
}

function rounded(ms: number): string {
  return String(Math.round(ms * 1000) / 1000);
}
