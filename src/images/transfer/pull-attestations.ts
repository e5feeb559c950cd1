import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isIndexType, isManifestType } from '../../oci/media-types.ts';
import { isAttestationOf } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type { RegistrySource } from '../../registry/client/registry-client.ts';
import type { ImageGc } from '../store/gc.ts';
import type { Lease } from '../store/lease-store.ts';
import { childDocument, type Document, type ManifestPorts, smallBlob } from './pull-manifest.ts';

/** BuildKit makes one for each platform; provenance has some kilobytes, an SBOM of a whole distribution some megabytes. */
const MAX_ATTESTATIONS = 4;
const MAX_BLOBS = 16;
const MAX_BLOB_BYTES = 8 << 20;
const MAX_TOTAL_BYTES = 16 << 20;
/** After the layers are here. */
const GRACE_MS = 1000;

export interface AttestedPull {
  /** Indexes that led to the manifest, and last the manifest itself. */
  documents: readonly Document[];
  reference: Reference;
  source: RegistrySource;
  lease: Lease;
  gc: Pick<ImageGc, 'settled'>;
  ports: ManifestPorts;
}

/**
 * What is said about a pulled manifest: provenance and SBOM, with which its index is whole here and can be sent on as it is. They come beside the layers, and
 * a pull never fails or waits long for want of them.
 */
export class PulledAttestations {
  readonly #controller = new AbortController();
  /** Resolves once nothing of it is under way, to the blobs that the image holds besides its own. */
  readonly ended: Promise<Digest[]>;

  constructor(pull: AttestedPull) {
    const signal = AbortSignal.any([pull.ports.request.signal, this.#controller.signal]);
    const request = { ...pull.ports.request, signal };
    this.ended = bring({ ...pull, ports: { ...pull.ports, request } }).catch(() => []);
  }

  /** The layers are here: what isn't soon is left. Resolves as `ended`. */
  async end(): Promise<Digest[]> {
    const timer = setTimeout(() => this.#controller.abort(), GRACE_MS);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Of a pull that has failed. */
  abandon(): void {
    this.#controller.abort();
  }
}

/** Those that came whole. */
async function bring(pull: AttestedPull): Promise<Digest[]> {
  const manifest = pull.documents.at(-1)?.descriptor.digest;
  const indexes = pull.documents.filter(({ descriptor }) => isIndexType(descriptor.mediaType));
  const entries = indexes.flatMap(
    ({ bytes, descriptor }) => parseIndex(bytes, descriptor.mediaType).manifests,
  );
  const wanted = entries.filter((one) => isManifestType(one.mediaType) && isAttestationOf(one, manifest));
  const brought: Digest[] = [];
  for (const descriptor of wanted.slice(0, MAX_ATTESTATIONS))
    brought.push(...(await bringOne(descriptor, pull).catch(() => [])));
  return brought;
}

async function bringOne(descriptor: Descriptor, pull: AttestedPull): Promise<Digest[]> {
  const { reference, source, lease, gc, ports } = pull;
  const { bytes } = await childDocument(descriptor, source, { reference, ports });
  const manifest = parseManifest(bytes, descriptor.mediaType);
  const named = [manifest.config, ...manifest.layers];
  const blobs = [...new Map(named.map((blob) => [blob.digest, blob])).values()];
  const total = blobs.reduce((sum, { size }) => sum + size, 0);
  if (blobs.length > MAX_BLOBS || total > MAX_TOTAL_BYTES) return [];
  const digests = [descriptor.digest, ...blobs.map(({ digest }) => digest)];
  await lease.add({ blobs: digests, chains: [] });
  await gc.settled();
  const results = await Promise.allSettled(
    blobs.map((blob) => smallBlob({ descriptor: blob, reference, source, maxBytes: MAX_BLOB_BYTES }, ports)),
  );
  if (results.some(({ status }) => status === 'rejected')) return [];
  await ports.content.write(bytes, descriptor.digest);
  return digests;
}
