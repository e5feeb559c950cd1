import { EngineError } from '../errors/engine-error.ts';
import { checkFilterNames, type Filters, untilFilter } from '../wire/filters.ts';
import type { DeleteResult, ImageView } from './image-backend.ts';
import { isDangling } from './image-filters.ts';
import { type ImageGc, rootsOf } from './store/gc.ts';
import type { ImageRecord } from './store/image-record.ts';
import type { ImageStore } from './store/image-store.ts';
import { type ImageUsage, isUsed } from './store/image-usage.ts';

export interface PruneRequest {
  danglingOnly: boolean;
  filters: Filters;
}

/** What a prune goes by, beside the filters of a list. */
export interface PrunePlan {
  danglingOnly: boolean;
  /** Label and time filters. */
  filters: Filters;
  /** Not used for so long; undefined: whenever. */
  unusedForMs: number | undefined;
  /** Stop once images take no more; undefined: all that match go. */
  keepBytes: number | undefined;
}

const LIST_FILTERS = ['label', 'label!', 'until'];

/** @throws EngineError "invalid", in Docker's words, for a filter that prune does not know. */
export function planPrune({ danglingOnly, filters }: PruneRequest): PrunePlan {
  checkFilterNames(filters, [...LIST_FILTERS, 'unused-for', 'keep-size']);
  untilFilter(filters);
  const rest = new Map([...filters].filter(([name]) => LIST_FILTERS.includes(name)));
  const seconds = numberFilter(filters, 'unused-for');
  return {
    danglingOnly,
    filters: rest,
    unusedForMs: seconds === undefined ? undefined : seconds * 1000,
    keepBytes: numberFilter(filters, 'keep-size'),
  };
}

function numberFilter(filters: Filters, name: string): number | undefined {
  const values = filters.get(name);
  if (values === undefined) return undefined;
  const [value = ''] = values;
  if (values.length === 1 && /^\d{1,15}$/.test(value)) return Number(value);
  throw new EngineError('invalid', `invalid filter '${name}=[${values.join(' ')}]'`);
}

export interface PrunePorts {
  store: ImageStore;
  gc: ImageGc;
  usage: ImageUsage;
  /** Untag and delete. */
  remove: (image: ImageRecord) => Promise<DeleteResult[]>;
}

/** Images without container that the plan means, the longest unused first; `candidates` passed its filters. */
export async function pruneImages(
  plan: PrunePlan,
  candidates: readonly ImageView[],
  ports: PrunePorts,
): Promise<{ deleted: DeleteResult[]; reclaimedBytes: number }> {
  const { store, usage, gc } = ports;
  const since = plan.unusedForMs === undefined ? Number.POSITIVE_INFINITY : Date.now() - plan.unusedForMs;
  const unused = candidates
    .filter((view) => !plan.danglingOnly || isDangling(view))
    .filter(({ id }) => (store.lastUsedMs(id) ?? 0) <= since)
    .sort((a, b) => (store.lastUsedMs(a.id) ?? 0) - (store.lastUsedMs(b.id) ?? 0));
  const deleted: DeleteResult[] = [];
  let reclaimedBytes = 0;
  for (const { id } of unused) {
    if (plan.keepBytes !== undefined && totalBytes(store) <= plan.keepBytes) break;
    const image = store.image(id);
    if (image === undefined || isUsed(image, usage)) continue;
    deleted.push(...(await ports.remove(image)));
    reclaimedBytes += await gc.collect(rootsOf(image));
  }
  return { deleted, reclaimedBytes };
}

/** Bytes of all images, what they share counted once: blobs as received, and the layers' tars. */
function totalBytes(store: ImageStore): number {
  const sizes = new Map<string, number>();
  for (const { id, size, manifests } of store.images()) {
    sizes.set(id, size);
    for (const manifest of manifests) {
      sizes.set(manifest.digest, manifest.size);
      for (const { digest, size: bytes } of [manifest.manifest.config, ...manifest.manifest.layers])
        sizes.set(digest, bytes);
      for (const diffId of manifest.config.diffIds) sizes.set(diffId, store.tarSize(diffId));
    }
  }
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}
