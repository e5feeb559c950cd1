import type { ImageView } from '../../images/image-backend.ts';
import type { Backends } from '../server-options.ts';

/** How many bytes of an image lie in layers that another image has too. */
export function sharedSizes(views: readonly ImageView[]): (view: ImageView) => number {
  const users = new Map<string, number>();
  for (const { layers } of views)
    for (const diffId of new Set(layers.map((layer) => layer.diffId)))
      users.set(diffId, (users.get(diffId) ?? 0) + 1);
  return (view) =>
    view.layers.reduce((sum, { diffId, tarSize }) => sum + ((users.get(diffId) ?? 0) > 1 ? tarSize : 0), 0);
}

/** How many containers each image has. */
export async function containerCounts(containers: Backends['containers']): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const views = await containers.list({ all: true, limit: undefined, size: false, filters: new Map() });
  for (const { image } of views) counts.set(image.id, (counts.get(image.id) ?? 0) + 1);
  return counts;
}
