import type { LayerInfo } from '../../snapshots/snapshotter.ts';
import type { LayerBlob } from '../store/image-store.ts';
import type { FetchProgress, LayerFetch, LayerFetches } from './layer-fetches.ts';

export interface BringOptions {
  fetches: LayerFetches;
  /** Layers of `wanted` that are here, by position. */
  present: readonly (LayerInfo | undefined)[];
  signal: AbortSignal;
  /** `at` is the layer's position. */
  progress: (at: number, step: FetchProgress) => void;
}

/** From the bottom up to the first layer that is missing. */
export async function presentLayers(
  wanted: readonly LayerFetch[],
  fetches: LayerFetches,
): Promise<(LayerInfo | undefined)[]> {
  const present: (LayerInfo | undefined)[] = [];
  for (const fetch of wanted)
    present.push(present.includes(undefined) ? undefined : await fetches.present(fetch));
  return present;
}

/** All layers at once, as the runner has room; the first failure stops the others. @throws as `LayerFetches.fetch`. */
export async function bringLayers(
  wanted: readonly LayerFetch[],
  options: BringOptions,
): Promise<LayerBlob[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const fetches = wanted.map(async (fetch, at): Promise<LayerInfo> => {
    const here = options.present[at];
    if (here !== undefined) return here;
    try {
      return await options.fetches.fetch(fetch, { signal, progress: (step) => options.progress(at, step) });
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  const settled = await Promise.allSettled(fetches);
  options.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  return wanted.flatMap(({ job }, at) => {
    const result = settled[at];
    if (result?.status !== 'fulfilled') return [];
    const { digest, size } = job.descriptor;
    return [{ diffId: job.diffId, blob: digest, blobSize: size, tarSize: result.value.tarSize }];
  });
}
