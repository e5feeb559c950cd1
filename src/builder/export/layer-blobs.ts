import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContentStore } from '../../content/content-store.ts';
import type { ImageGc } from '../../images/store/gc.ts';
import type { Lease } from '../../images/store/lease-store.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import type { FileRunner } from '../copy/file-job.ts';
import type { OutputCompression, OutputOptions } from './output-options.ts';

export interface LayerBlobPorts {
  content: ContentStore;
  gc: Pick<ImageGc, 'exclusively'>;
  files: Pick<FileRunner, 'compress'>;
  /** Where blobs are made, on the content's file system. */
  directory: string;
}

/** Compressed forms that are remembered. */
const MAX_KNOWN = 10_000;

/** Layers in the form in which an output wants them. A layer is compressed once, whatever asks for it. */
export class LayerBlobs {
  readonly #ports: LayerBlobPorts;
  readonly #known = new Map<string, Promise<Descriptor>>();

  constructor(ports: LayerBlobPorts) {
    this.#ports = ports;
  }

  /** Side by side, as many as there are threads. The lease comes to hold what was made. */
  async all(
    layers: readonly Descriptor[],
    wanted: Pick<OutputOptions, 'forceCompression' | 'compressionLevel'> & { compression: OutputCompression },
    options: { lease: Pick<Lease, 'add'>; signal: AbortSignal },
  ): Promise<Descriptor[]> {
    const { compression, forceCompression, compressionLevel: level } = wanted;
    return await Promise.all(
      layers.map(async (layer) => {
        const now = compressionOf(layer.mediaType);
        if (compression === 'uncompressed' || now === compression) return layer;
        if (now !== 'uncompressed' && !forceCompression) return layer;
        return await this.#one(layer, { compression, level }, options);
      }),
    );
  }

  async #one(
    layer: Descriptor,
    form: { compression: 'gzip' | 'zstd'; level: number | undefined },
    options: { lease: Pick<Lease, 'add'>; signal: AbortSignal },
  ): Promise<Descriptor> {
    const key = `${layer.digest} ${form.compression} ${form.level ?? ''}`;
    const known = await this.#known.get(key)?.catch(() => undefined);
    if (known !== undefined) {
      await options.lease.add({ blobs: [known.digest], chains: [] });
      if ((await this.#ports.content.size(known.digest)) === known.size) return known;
    }
    const making = this.#make(layer.digest, form, options);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, making);
    making.catch(() => this.#known.delete(key));
    return await making;
  }

  async #make(
    digest: Digest,
    { compression, level }: { compression: 'gzip' | 'zstd'; level: number | undefined },
    { lease, signal }: { lease: Pick<Lease, 'add'>; signal: AbortSignal },
  ): Promise<Descriptor> {
    const { content, gc, files, directory } = this.#ports;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const target = join(directory, `blob-${randomUUID()}`);
    const job = { source: content.path(digest), target, compression };
    try {
      const blob = await files.compress(level === undefined ? job : { ...job, level }, { signal });
      await gc.exclusively(async () => {
        await lease.add({ blobs: [blob.digest], chains: [] });
        await content.adopt(target, blob.digest);
      });
      const mediaType = compression === 'gzip' ? MEDIA_TYPES.ociLayerGzip : MEDIA_TYPES.ociLayerZstd;
      return { mediaType, digest: blob.digest, size: blob.size };
    } finally {
      await rm(target, { force: true });
    }
  }
}

function compressionOf(mediaType: string): OutputCompression {
  if (/[+.]gzip$/.test(mediaType)) return 'gzip';
  return mediaType.endsWith('+zstd') ? 'zstd' : 'uncompressed';
}
