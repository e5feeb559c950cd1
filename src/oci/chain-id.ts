import { createHash } from 'node:crypto';
import type { ChainId, DiffId } from './digest.ts';

/**
 * The identity of each layer's stack, bottom first (OCI image spec, "Layer ChainID"): as many as `diffIds`; the last one is the
 * image's root file system.
 */
export function chainIds(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  let parent: ChainId | undefined;
  for (const diffId of diffIds) {
    parent = chainIdOn(parent, diffId);
    chain.push(parent);
  }
  return chain;
}

/** The ChainID of `diffId` applied on `parent`. */
export function chainIdOn(parent: ChainId | undefined, diffId: DiffId): ChainId {
  if (parent === undefined) return diffId as string as ChainId;
  return `sha256:${createHash('sha256').update(`${parent} ${diffId}`).digest('hex')}` as ChainId;
}
