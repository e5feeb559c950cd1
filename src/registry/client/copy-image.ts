import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { MAX_MANIFEST_BYTES, parseIndex, parseManifest } from '../../oci/manifest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import { type Platform, selectManifest } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import { RegistryResponseError } from '../transport/response-errors.ts';
import { skipped } from '../transport/upload-stream.ts';
import type { PushBlob, PushManifest, PushProgress, RegistryPushClient } from './push-client.ts';
import { pushContent } from './push-content.ts';
import type {
  RegistryClient,
  RegistryCredentials,
  RegistryRequest,
  RegistrySource,
} from './registry-client.ts';

export interface CopyRequest {
  from: Reference;
  /** Without tag and digest it gets those of `from`. */
  to: Reference;
  /** One platform of an index; all of it by default. */
  platform?: Platform | undefined;
}

export interface CopyOptions {
  signal: AbortSignal;
  /** By registry: what is given for one is not sent to the other. */
  credentials: { from: RegistryCredentials | undefined; to: RegistryCredentials | undefined };
  tlsVerify: { from: boolean | undefined; to: boolean | undefined };
  maxConcurrentUploads: number;
  progress: (line: PushProgress) => void;
}

const MAX_DEPTH = 4;
/** Manifests are held in memory until the blobs are over. */
const MAX_MANIFEST_TOTAL = 64 << 20;
const SHORT_ID = 12;

/**
 * Copy an image, an index with all below it, or an artifact from one repository to another: bytes stream through, nothing is stored. Blobs within one
 * registry are mounted. Digests stay. Resolves to what the target's name stands for now.
 *
 * @throws as `RegistryClient`, `pushContent`; "invalid" for indexes nested too deep.
 */
export async function copyImage(
  { from, to, platform }: CopyRequest,
  clients: { source: RegistryClient; target: RegistryPushClient },
  options: CopyOptions,
): Promise<PushManifest['descriptor']> {
  const request: RegistryRequest = {
    signal: options.signal,
    credentials: options.credentials.from,
    tlsVerify: options.tlsVerify.from,
  };
  const collector = new Collector(clients.source, from, request);
  const { root, manifests, blobs, source } = await collector.collect(platform);
  const mountFrom = from.domain === to.domain && from.path !== to.path ? [from.path] : [];
  const named = to.tag === undefined && to.digest === undefined ? { ...to, tag: from.tag } : to;
  await pushContent(
    clients.target,
    {
      reference: named,
      manifests,
      blobs: blobs.map((descriptor): PushBlob => {
        const except: RegistrySource[] = [];
        return {
          descriptor,
          id: hexOf(descriptor.digest).slice(0, SHORT_ID),
          mountFrom,
          open: (start) =>
            openVerified(clients.source, { from, descriptor, start, except }, { ...request, source }),
        };
      }),
    },
    {
      signal: options.signal,
      credentials: options.credentials.to,
      tlsVerify: options.tlsVerify.to,
      maxConcurrentUploads: options.maxConcurrentUploads,
      progress: options.progress,
    },
  );
  return root.descriptor;
}

interface Collected {
  root: PushManifest;
  /** Children first. */
  manifests: PushManifest[];
  blobs: Descriptor[];
  source: RegistrySource;
}

/** Goes down from a name to all that it stands on; each document once, however often it is referred to. */
class Collector {
  readonly #client: RegistryClient;
  readonly #from: Reference;
  readonly #request: RegistryRequest;
  readonly #manifests = new Map<Digest, PushManifest>();
  readonly #blobs = new Map<Digest, Descriptor>();
  #total = 0;

  constructor(client: RegistryClient, from: Reference, request: RegistryRequest) {
    this.#client = client;
    this.#from = from;
    this.#request = request;
  }

  async collect(platform: Platform | undefined): Promise<Collected> {
    const root = await this.#client.manifest(this.#from, this.#request);
    this.#request.source = root.source;
    let document: PushManifest = root;
    while (platform !== undefined && isIndexType(document.descriptor.mediaType)) {
      const { mediaType } = document.descriptor;
      document = await this.#read(selectManifest(parseIndex(document.bytes, mediaType), platform));
    }
    await this.#add(document, 1);
    return {
      root: document,
      manifests: [...this.#manifests.values()],
      blobs: [...this.#blobs.values()],
      source: root.source,
    };
  }

  async #add(document: PushManifest, depth: number): Promise<void> {
    const { bytes, descriptor } = document;
    if (depth > MAX_DEPTH) throw new EngineError('invalid', 'Invalid index: indexes are nested too deep');
    this.#total += bytes.length;
    if (this.#total > MAX_MANIFEST_TOTAL)
      throw new EngineError(
        'invalid',
        `Cannot copy: the manifests have more than ${MAX_MANIFEST_TOTAL} bytes`,
        {
          code: 'size-exceeded',
        },
      );
    if (isIndexType(descriptor.mediaType)) await this.#addIndex(document, depth);
    else await this.#addBlobs(document);
    this.#manifests.set(descriptor.digest, { descriptor, bytes });
  }

  async #addIndex({ bytes, descriptor }: PushManifest, depth: number): Promise<void> {
    for (const child of parseIndex(bytes, descriptor.mediaType).manifests)
      if (!this.#manifests.has(child.digest)) await this.#add(await this.#read(child), depth + 1);
  }

  async #addBlobs({ bytes, descriptor }: PushManifest): Promise<void> {
    const { config, layers } = parseManifest(bytes, descriptor.mediaType);
    for (const blob of [config, ...layers])
      if (!this.#blobs.has(blob.digest) && (await this.#isHeld(blob))) this.#blobs.set(blob.digest, blob);
  }

  /** Layers that say where else they are need not be in the registry. */
  async #isHeld({ digest, urls, size }: Descriptor): Promise<boolean> {
    if (urls === undefined || urls.length === 0) return true;
    try {
      const { body } = await this.#client.blob(this.#from, digest, { ...this.#request, size });
      await body.cancel();
      return true;
    } catch (error) {
      if (error instanceof RegistryResponseError && error.status === 404) return false;
      throw error;
    }
  }

  async #read(child: Descriptor): Promise<PushManifest> {
    const { digest, size } = child;
    if (size > MAX_MANIFEST_BYTES)
      throw new EngineError(
        'invalid',
        `${digest} says it has ${size} bytes, at most ${MAX_MANIFEST_BYTES} are taken`,
        {
          code: 'size-exceeded',
        },
      );
    const found = await this.#client.manifest({ ...this.#from, tag: undefined, digest }, this.#request);
    if (found.bytes.length === size) return found;
    throw new EngineError(
      'invalid',
      `manifest ${digest} has ${found.bytes.length} bytes, its index says ${size}`,
      {
        code: 'digest-mismatch',
      },
    );
  }
}

/** The blob's bytes, hashed on the way: what a mirror spoilt breaks the upload off, and its next attempt asks somebody else. */
async function openVerified(
  client: RegistryClient,
  {
    from,
    descriptor,
    start,
    except,
  }: { from: Reference; descriptor: Descriptor; start: number; except: RegistrySource[] },
  request: RegistryRequest,
): Promise<ReadableStream<Uint8Array>> {
  const { digest, size } = descriptor;
  const blob = await client.blob(from, digest, { ...request, size, start, except });
  const body = skipped(blob.body, start - blob.start);
  // What begins in the middle only the receiving registry can verify.
  if (start > 0) return body;
  const algorithm = algorithmOf(digest);
  const hasher = new Bun.CryptoHasher(algorithm);
  let seen = 0;
  const verify = () => {
    if (`${algorithm}:${hasher.digest('hex')}` === digest) return;
    const liars = blob.refuse();
    const mayHelp = liars.length > 0;
    except.push(...liars);
    throw new EngineError(
      mayHelp ? 'unavailable' : 'invalid',
      `blob ${digest} does not have the bytes of its digest`,
      { code: mayHelp ? 'registry-unreachable' : 'digest-mismatch' },
    );
  };
  return body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array>({
      transform(chunk, controller) {
        hasher.update(chunk);
        seen += chunk.length;
        // Before the last bytes go out: what is whole is sent, whatever becomes of its stream then.
        if (seen === size) verify();
        controller.enqueue(chunk);
      },
    }),
  );
}
