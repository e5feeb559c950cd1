import type { Descriptor } from '../../oci/descriptor.ts';
import type { ChainId, DiffId } from '../../oci/digest.ts';

/** A layer that a step made: its place in a chain, and the blob that an image names. */
export interface BuiltLayer {
  chainId: ChainId;
  diffId: DiffId;
  descriptor: Descriptor;
  tarSize: number;
  createdNano: bigint;
}

/** What the build cache remembers: the layer of a step, the folder of a cache mount, a context that was sent, a download, what git fetched. */
export interface CacheRecord {
  id: string;
  /** What led to it; one record per key. */
  key: string;
  /** BuildKit's names. Its downloads and repositories are `regular`, as layers are. */
  kind: 'regular' | 'exec.cachemount' | 'source.local' | 'source.git.checkout';
  /** The chain that it stands on. */
  parent: ChainId | undefined;
  /** Undefined for what is no layer. */
  layer: BuiltLayer | undefined;
  /** Bytes that it takes. Of a cache mount as of its last use. */
  sizeBytes: number;
  description: string;
  createdNano: bigint;
  usedNano: bigint;
  uses: number;
}
