import type { ContainerStatsAnswer } from '../../../client/model.ts';
import type { Command } from '../../command.ts';
import { readConfigFile } from '../../config-file.ts';
import type { Invocation } from '../../context.ts';
import { formatList, LIST_FORMAT_FLAG } from '../../output/list-format.ts';
import { STATS_HEADERS, STATS_TABLE, type StatsLine, statsRow } from '../../output/stats-row.ts';
import { withInterrupt } from '../../terminal/interrupt.ts';
import { StatsWatch, watchAll } from './stats/stats-watch.ts';

const REDRAW_MS = 500;
const [HOME, CLEAR_LINE, CLEAR_BELOW, CLEAR_ALL] = ['\x1b[H', '\x1b[K', '\x1b[J', '\x1b[2J'];

type Show = (lines: readonly StatsLine[]) => string;

export const command: Command = {
  usage: '[OPTIONS] [CONTAINER...]',
  long: `Show what containers use, as it changes

Without names: all that run, those that start meanwhile included. It ends with
Ctrl-C, or when every container that was named has been removed.`,
  flags: [
    { name: 'all', short: 'a', kind: 'bool', usage: 'Also those that do not run' },
    LIST_FORMAT_FLAG,
    { name: 'no-stream', kind: 'bool', usage: 'Once, and not as it changes' },
    { name: 'no-trunc', kind: 'bool', usage: 'Show IDs whole' },
  ],
  args: { min: 0 },
  examples: ['stats', 'stats --no-stream web db', "stats --format '{{.Name}}: {{.CPUPerc}}'"],
  async run(invocation) {
    const show = await printer(invocation);
    const { flags } = invocation;
    if (flags.bool('no-stream')) await once(invocation, show);
    else await withInterrupt((signal) => live(invocation, show, signal));
    return 0;
  },
};

async function printer({ context, flags }: Invocation): Promise<Show> {
  const truncate = !flags.bool('no-trunc');
  const format = flags.string('format') || ((await readConfigFile(context)).statsFormat ?? '');
  const how = { format, table: STATS_TABLE, headers: STATS_HEADERS };
  return (lines) =>
    formatList(
      lines.map((line) => statsRow(line, { truncate })),
      how,
    );
}

async function once({ context, client, flags, args }: Invocation, show: Show): Promise<void> {
  const named = args.map((container) => ({ id: container, container }));
  const all =
    args.length > 0
      ? named
      : (await client.containers.list({ all: flags.bool('all') })).map(({ Id }) => ({
          id: Id,
          container: Id.slice(0, 12),
        }));
  const gone = (error: unknown): ContainerStatsAnswer | undefined => {
    // One of those that were found may have been removed meanwhile; one that was named must be there.
    if (args.length > 0) throw error;
    return undefined;
  };
  const lines = await Promise.all(
    all.map(async ({ id, container }) => ({
      container,
      stats: await client.containers.stats(id).catch(gone),
    })),
  );
  await context.stdout.write(
    show(args.length > 0 ? lines : lines.filter(({ stats }) => stats !== undefined)),
  );
}

async function live(invocation: Invocation, show: Show, interrupted: AbortSignal): Promise<void> {
  const { context, client, flags, args } = invocation;
  const ended = new AbortController();
  const signal = AbortSignal.any([interrupted, ended.signal]);
  const watch = new StatsWatch(client, signal);
  const everything = args.length === 0;
  const ready = Promise.withResolvers<void>();
  const watching = everything
    ? watchAll(client, watch, { stopped: flags.bool('all'), signal, ready: ready.resolve })
    : Promise.resolve(args.forEach((name) => watch.add(name)));
  watching.catch(ready.reject);
  try {
    if (everything) await ready.promise;
    // Figures of all before the first screen, as far as they come within a moment.
    for (let waits = 0; waits < 4 && watch.lines.some(({ stats }) => stats === undefined); waits++)
      await pause(REDRAW_MS, signal);
    await context.stdout.write(CLEAR_ALL);
    while (!signal.aborted && (everything || watch.lines.length > 0)) {
      await context.stdout.write(screenOf(show(watch.lines)));
      await pause(REDRAW_MS, signal);
    }
    signal.throwIfAborted();
  } finally {
    ended.abort();
    await watching.catch(() => undefined);
  }
}

/** Over what stands there, so that nothing flickers. */
function screenOf(text: string): string {
  return `${HOME}${text.replaceAll('\n', `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`;
}

/** Ends early when `signal` aborts. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
  });
}
