import type { HistoryEntry, ImageConfig } from '../../oci/image-config.ts';
import type { StageState } from '../plan/stage-state.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';

export interface ConfigParts {
  state: StageState;
  /** What was built on the base, lowest first. */
  layers: readonly BuiltLayer[];
  /** `--label`. */
  labels: ReadonlyMap<string, string>;
  /** SOURCE_DATE_EPOCH. */
  epoch: number | undefined;
}

/**
 * The image's config as BuildKit writes it: times of history are those of the layers, or SOURCE_DATE_EPOCH; an entry without layer has the time of the one before
 * (or the first after); the image's own is the last. Built again from the cache it is the same.
 */
export function builtConfig({ state, layers, labels, epoch }: ConfigParts): ImageConfig {
  const history = dated(completed(state, layers), state.baseHistory.length, { layers, epoch });
  const created = history.at(-1)?.created ?? epochTime(epoch);
  return {
    platform: state.platform,
    created,
    author: state.author === '' ? undefined : state.author,
    config: { ...state.config, labels: { ...state.config.labels, ...Object.fromEntries(labels) } },
    diffIds: [...state.baseDiffIds, ...layers.map(({ diffId }) => diffId)],
    history,
  };
}

/** Layers that no entry stands for get one. */
function completed(
  { baseHistory, baseDiffIds, history }: StageState,
  layers: readonly BuiltLayer[],
): HistoryEntry[] {
  return [
    ...baseHistory,
    ...untold(baseDiffIds.length - count(baseHistory)),
    ...untold(layers.length - count(history)),
    ...history,
  ];
}

function count(history: readonly HistoryEntry[]): number {
  return history.filter(({ emptyLayer }) => !emptyLayer).length;
}

function untold(missing: number): HistoryEntry[] {
  const entry = {
    created: undefined,
    createdBy: '',
    author: '',
    comment: 'buildkit.exporter.image.v0',
    emptyLayer: false,
  };
  return Array.from({ length: Math.max(0, missing) }, () => entry);
}

function dated(
  history: readonly HistoryEntry[],
  baseLength: number,
  { layers, epoch }: Pick<ConfigParts, 'layers' | 'epoch'>,
): HistoryEntry[] {
  const own = history.filter(({ emptyLayer }) => !emptyLayer).length - layers.length;
  let layer = -own;
  const timed = history.map((entry, at): HistoryEntry => {
    const built = entry.emptyLayer ? undefined : layers[layer];
    if (!entry.emptyLayer) layer++;
    if (entry.created !== undefined) return entry;
    const own = built === undefined ? undefined : timeOf(built.createdNano);
    return { ...entry, created: (at >= baseLength ? epochTime(epoch) : undefined) ?? own };
  });
  return filled(timed);
}

/** The first new layer's time for what comes before it, later the time of the entry before. */
function filled(history: readonly HistoryEntry[]): HistoryEntry[] {
  let created: string | undefined;
  let missed = false;
  for (const entry of history) {
    if (entry.created === undefined) missed = true;
    else {
      created = entry.created;
      if (missed) break;
    }
  }
  missed = false;
  return history.map((entry) => {
    if (entry.created === undefined) {
      missed = true;
      return { ...entry, created };
    }
    if (missed) created = entry.created;
    return entry;
  });
}

/** RFC 3339 with nanoseconds, without trailing zeros, as Go writes it. */
export function timeOf(nano: bigint): string {
  const seconds = new Date(Number(nano / 1_000_000n)).toISOString().slice(0, 19);
  const fraction = (nano % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`;
}

function epochTime(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : timeOf(BigInt(seconds) * 1_000_000_000n);
}
