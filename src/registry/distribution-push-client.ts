import { EngineError } from '../errors/engine-error.ts';
import { type Logger, silentLogger } from '../errors/logger.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { type Reference, repositoryName } from '../oci/reference.ts';
import { AuthorizedTransport } from './authorized-transport.ts';
import { type UploadCall, uploadBlob } from './blob-upload.ts';
import type { DistributionClientOptions } from './distribution-client.ts';
import type { BlobOpener, RegistryPushClient, UploadRequest } from './push-client.ts';
import type { RegistryConfig, RegistryRequest, RegistrySource } from './registry-client.ts';
import { discardBody } from './response-body.ts';
import { errorFromResponse } from './response-errors.ts';
import { walkSources } from './source-walk.ts';
import { apiUrl, originsOf, SourceMemory } from './sources.ts';
import { defaultTiming, type RegistryTiming } from './timing.ts';
import { Transport, type TransportRequest, type TransportResponse } from './transport.ts';

/** An upload's answer comes when the registry has hashed and stored it all. */
const UPLOAD_HEAD_MS = 30 * 60_000;

interface PushCall {
  method: TransportRequest['method'];
  url: URL;
  /** The registry's host: an upload session may be elsewhere, where no credential belongs. */
  home: string;
  headers?: Record<string, string> | undefined;
  body?: TransportRequest['body'];
  headMs?: number;
  /** A further scope, for a mount. */
  pullFrom?: string;
}

/** Pushes to a domain's origin over HTTP; shares nothing with the pulling client but the way there. */
export class DistributionPushClient implements RegistryPushClient {
  readonly #config: RegistryConfig;
  readonly #timing: RegistryTiming;
  readonly #logger: Logger;
  readonly #transport: AuthorizedTransport;
  readonly #memory: SourceMemory;
  readonly #homes = new Map<string, RegistrySource>();

  constructor(config: RegistryConfig, options: DistributionClientOptions = {}) {
    this.#config = config;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#logger = options.logger ?? silentLogger;
    this.#transport = new AuthorizedTransport(new Transport(config), this.#timing);
    this.#memory = new SourceMemory(this.#timing.deadMirrorMs);
  }

  async blobExists(repository: Reference, digest: Digest, options: RegistryRequest): Promise<boolean> {
    const url = await this.#url(repository, `blobs/${digest}`, options);
    const response = await this.#call(
      repository,
      { method: 'HEAD', url, home: url.host },
      { options, expected: [200, 404] },
    );
    return response.status === 200;
  }

  async mountBlob(
    repository: Reference,
    blob: { digest: Digest; from: string },
    options: RegistryRequest,
  ): Promise<boolean> {
    const url = await this.#url(repository, 'blobs/uploads/', options);
    url.searchParams.set('mount', blob.digest);
    url.searchParams.set('from', blob.from);
    const call: PushCall = {
      method: 'POST',
      url,
      home: url.host,
      headers: { 'content-length': '0' },
      pullFrom: blob.from,
    };
    const response = await this.#call(repository, call, { options, expected: [201, 202] });
    if (response.status === 201) return true;
    const session = response.headers.get('location');
    if (session !== null && URL.canParse(session, url.href)) {
      const cancel: PushCall = { method: 'DELETE', url: new URL(session, url.href), home: url.host };
      await this.#call(repository, cancel, { options, expected: [200, 202, 204, 404] }).catch(
        () => undefined,
      );
    }
    return false;
  }

  async uploadBlob(
    repository: Reference,
    blob: { descriptor: { digest: Digest; size: number }; open: BlobOpener },
    options: UploadRequest,
  ): Promise<void> {
    const startUrl = await this.#url(repository, 'blobs/uploads/', options);
    await uploadBlob({
      startUrl,
      digest: blob.descriptor.digest,
      size: blob.descriptor.size,
      open: blob.open,
      request: options,
      timing: this.#timing,
      call: (call: UploadCall, expected) =>
        this.#call(
          repository,
          { ...call, home: startUrl.host, headMs: UPLOAD_HEAD_MS },
          { options, expected },
        ),
    });
  }

  async putManifest(
    reference: Reference,
    manifest: { mediaType: string; bytes: Uint8Array },
    options: RegistryRequest,
  ): Promise<Digest> {
    const name = reference.tag ?? reference.digest;
    if (name === undefined) throw new EngineError('invalid', 'Cannot put a manifest without a tag or digest');
    const url = await this.#url(reference, `manifests/${name}`, options);
    const call: PushCall = {
      method: 'PUT',
      url,
      home: url.host,
      headers: { 'content-type': manifest.mediaType },
      body: new Uint8Array(manifest.bytes),
    };
    const response = await this.#call(reference, call, { options, expected: [201] });
    const digest = response.headers.get('docker-content-digest') ?? '';
    if (isDigest(digest)) return digest;
    throw new EngineError('unavailable', 'Cannot push: the registry names no digest of the manifest', {
      code: 'registry-unreachable',
    });
  }

  /** Finds out which scheme an insecure origin speaks, and how it wants to be authorized, before a stream is sent; once per repository. */
  async #url(repository: Reference, rest: string, options: RegistryRequest): Promise<URL> {
    const name = repositoryName(repository);
    const known = this.#homes.get(name);
    if (known !== undefined) return apiUrl(known, `${repository.path}/${rest}`);
    const home = await walkSources(
      {
        sources: this.#memory.order(originsOf(repository.domain, this.#config)),
        name,
        memory: this.#memory,
        logger: this.#logger,
        timing: this.#timing,
        signal: options.signal,
      },
      async (candidate, { headMs }) => {
        const url = apiUrl(candidate, '');
        await this.#call(
          repository,
          { method: 'GET', url, home: url.host, headMs },
          { options, expected: [200] },
        );
        return candidate;
      },
    );
    if (this.#homes.size > 1000) this.#homes.clear();
    this.#homes.set(name, home);
    return apiUrl(home, `${repository.path}/${rest}`);
  }

  async #call(
    repository: Reference,
    call: PushCall,
    { options, expected }: { options: RegistryRequest; expected: number[] },
  ): Promise<TransportResponse> {
    const response = await this.#transport.send({
      method: call.method,
      url: call.url,
      headers: call.headers ?? {},
      body: call.body,
      signal: options.signal,
      headMs: call.headMs ?? this.#timing.originHeadMs,
      credentials: call.url.host === call.home ? options.credentials : undefined,
      scopes: [
        `repository:${repository.path}:pull,push`,
        ...(call.pullFrom === undefined ? [] : [`repository:${call.pullFrom}:pull`]),
      ],
    });
    if (expected.includes(response.status)) {
      await discardBody(response);
      return response;
    }
    throw await errorFromResponse(response, repository, {
      signal: options.signal,
      stallMs: this.#timing.stallMs,
      pushing: true,
    });
  }
}
