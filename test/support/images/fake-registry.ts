import { EngineError } from '../../../src/errors/engine-error.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { familiarName, type Reference, repositoryName } from '../../../src/oci/reference.ts';
import type {
  BlobStream,
  RegistryClient,
  RegistryRequest,
  ResolvedHead,
  ResolvedManifest,
} from '../../../src/registry/client/registry-client.ts';
import type { MadeBlob } from './image-maker.ts';

export interface BlobRequest {
  digest: Digest;
  start: number;
}

/** A `RegistryClient` over made images, in memory. `blobHook` may replace a body: to cut, lie, delay. */
export class FakeRegistry implements RegistryClient {
  readonly requests: BlobRequest[] = [];
  manifestRequests = 0;
  readonly #manifests = new Map<string, MadeBlob>();
  readonly #blobs = new Map<Digest, Uint8Array>();
  blobHook:
    | ((
        request: BlobRequest & { signal: AbortSignal },
        bytes: Uint8Array,
      ) => ReadableStream<Uint8Array> | undefined)
    | undefined;

  add(
    name: { repository: string; tag: string },
    image: MadeBlob & { blobs: readonly MadeBlob[]; manifests: readonly MadeBlob[] },
  ): void {
    this.#manifests.set(`${name.repository}:${name.tag}`, image);
    for (const manifest of [image, ...image.manifests])
      this.#manifests.set(`${name.repository}@${manifest.descriptor.digest}`, manifest);
    for (const { descriptor, bytes } of image.blobs) this.#blobs.set(descriptor.digest, bytes);
  }

  blobSize(digest: Digest): number {
    return this.#blobs.get(digest)?.length ?? 0;
  }

  async manifest(reference: Reference, options: RegistryRequest): Promise<ResolvedManifest> {
    options.signal.throwIfAborted();
    this.manifestRequests++;
    const { tag, digest } = reference;
    const suffix = digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`;
    const found = this.#manifests.get(repositoryName(reference) + suffix);
    if (found === undefined)
      throw new EngineError(
        'not-found',
        `manifest for ${familiarName(reference)} not found: manifest unknown`,
        {
          code: 'registry-manifest-unknown',
        },
      );
    return { descriptor: found.descriptor, bytes: found.bytes, source };
  }

  async head(reference: Reference, options: RegistryRequest): Promise<ResolvedHead> {
    const { descriptor, source } = await this.manifest(reference, options);
    return { descriptor, source };
  }

  async blob(
    _repository: Reference,
    digest: Digest,
    options: RegistryRequest & { start?: number; size?: number },
  ): Promise<BlobStream> {
    const request = { digest, start: options.start ?? 0, signal: options.signal };
    options.signal.throwIfAborted();
    this.requests.push({ digest, start: request.start });
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw new EngineError('not-found', 'blob unknown to registry');
    const body = this.blobHook?.(request, bytes) ?? chunked(bytes.subarray(request.start));
    return { start: request.start, body, source, refuse: () => [] };
  }
}

const source = { baseUrl: 'http://registry.test', mirror: false };

/** `bytes` in pieces, then the end; or an error, when one is given. */
export function chunked(bytes: Uint8Array, failure?: Error, size = 16_384): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at + size));
      else if (failure === undefined) controller.close();
      else controller.error(failure);
      at += size;
    },
  });
}
