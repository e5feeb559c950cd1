import { EngineError } from '../../errors/engine-error.ts';
import { type Digest, digestOf, hasDigest, isDigest } from '../../oci/digest.ts';
import { type Reference, repositoryName } from '../../oci/reference.ts';
import { type UploadCall, uploadBlob } from '../blob-upload.ts';
import { walkSources } from '../sources/source-walk.ts';
import { apiUrl, type Endpoint } from '../sources/sources.ts';
import { type RegistryClientOptions, RegistryConnection } from '../transport/registry-connection.ts';
import { discardBody } from '../transport/response-body.ts';
import { errorFromResponse, RegistryResponseError } from '../transport/response-errors.ts';
import { pauseBefore } from '../transport/retry.ts';
import type { TransportRequest, TransportResponse } from '../transport/transport.ts';
import type { BlobOpener, RegistryPushClient, UploadRequest } from './push-client.ts';
import type { RegistryConfig, RegistryRequest } from './registry-client.ts';

/** An upload's answer comes when the registry has hashed and stored it all. */
const UPLOAD_HEAD_MS = 30 * 60_000;
const MAX_HOMES = 1000;
/** Of an upload session that is given up. */
const CLOSED = [200, 202, 204, 404];

interface PushCall {
  method: TransportRequest['method'];
  url: URL;
  /** The registry: an upload session may be elsewhere, where no credential belongs. */
  home: Endpoint;
  headers?: Record<string, string> | undefined;
  body?: TransportRequest['body'];
  headMs?: number;
  signal?: AbortSignal | undefined;
  /** A further scope, for a mount. */
  pullFrom?: string;
}

interface Context {
  repository: Reference;
  options: RegistryRequest;
  expected: number[];
}

/** Pushes over HTTP to the registry itself, or to the host that a hosts.toml names for it. */
export class DistributionPushClient implements RegistryPushClient {
  readonly #connection: RegistryConnection;
  readonly #homes = new Map<string, Endpoint>();

  /** @param to Settings, or a connection that is shared with other clients. */
  constructor(to: RegistryConfig | RegistryConnection, options: RegistryClientOptions = {}) {
    this.#connection = to instanceof RegistryConnection ? to : new RegistryConnection(to, options);
  }

  async blobExists(repository: Reference, digest: Digest, options: RegistryRequest): Promise<boolean> {
    const { home, url } = await this.#target(repository, `blobs/${digest}`, options);
    const call: PushCall = { method: 'HEAD', url, home };
    const response = await this.#call(call, { repository, options, expected: [200, 404] });
    return response.status === 200;
  }

  async mountBlob(
    repository: Reference,
    blob: { digest: Digest; from: string },
    options: RegistryRequest,
  ): Promise<boolean> {
    const { home, url } = await this.#target(repository, 'blobs/uploads/', options);
    url.searchParams.set('mount', blob.digest);
    url.searchParams.set('from', blob.from);
    const headers = { 'content-length': '0' };
    const call: PushCall = { method: 'POST', url, home, headers, pullFrom: blob.from };
    try {
      const response = await this.#call(call, { repository, options, expected: [201, 202] });
      if (response.status === 201) return true;
      const session = response.headers.get('location');
      const cancel = session === null ? null : URL.parse(session, url.href);
      if (cancel !== null)
        await this.#call(
          { method: 'DELETE', url: cancel, home },
          { repository, options, expected: CLOSED },
        ).catch(() => undefined);
      return false;
    } catch (error) {
      const refused = error instanceof RegistryResponseError && error.status < 500 && error.status !== 429;
      if (refused) return false;
      throw error;
    }
  }

  async uploadBlob(
    repository: Reference,
    blob: { descriptor: { digest: Digest; size: number }; open: BlobOpener },
    options: UploadRequest,
  ): Promise<void> {
    const { home, url } = await this.#target(repository, 'blobs/uploads/', options);
    await uploadBlob({
      startUrl: url,
      digest: blob.descriptor.digest,
      size: blob.descriptor.size,
      open: blob.open,
      request: options,
      timing: this.#connection.timing,
      call: (call: UploadCall, expected) =>
        this.#call({ headMs: UPLOAD_HEAD_MS, ...call, home }, { repository, options, expected }),
    });
  }

  async putManifest(
    reference: Reference,
    manifest: { mediaType: string; bytes: Uint8Array },
    options: RegistryRequest,
  ): Promise<Digest> {
    const { tag, digest: named } = reference;
    const name = named ?? tag;
    if (name === undefined) throw new EngineError('invalid', 'Cannot put a manifest without a tag or digest');
    const { home, url } = await this.#target(reference, `manifests/${name}`, options);
    if (named !== undefined && tag !== undefined) url.searchParams.set('tag', tag);
    const headers = { 'content-type': manifest.mediaType };
    const call: PushCall = { method: 'PUT', url, home, headers, body: new Uint8Array(manifest.bytes) };
    const response = await this.#repeated(call, { repository: reference, options, expected: [201] });
    // Registries of before that parameter have stored the manifest, and know nothing of the tag.
    if (url.searchParams.has('tag') && response.headers.get('oci-tag') === null)
      return await this.putManifest({ ...reference, digest: undefined }, manifest, options);
    const stored = response.headers.get('docker-content-digest') ?? '';
    const digest = reference.digest ?? digestOf(manifest.bytes);
    if (!isDigest(stored) || hasDigest(manifest.bytes, stored)) return digest;
    throw new EngineError('invalid', `Cannot push: the registry stored ${stored}, sent was ${digest}`, {
      code: 'digest-mismatch',
    });
  }

  /** A body of bytes can be sent again while the registry is busy. */
  async #repeated(call: PushCall, context: Context): Promise<TransportResponse> {
    const { timing } = this.#connection;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#call(call, context);
      } catch (error) {
        if (attempt >= timing.manifestAttempts) throw error;
        await pauseBefore(attempt, error, { timing, signal: context.options.signal });
      }
    }
  }

  /** Finds out which scheme an insecure registry speaks, and how it wants to be authorized, before a stream is sent; once per repository. */
  async #target(
    repository: Reference,
    rest: string,
    options: RegistryRequest,
  ): Promise<{ home: Endpoint; url: URL }> {
    const name = `${repositoryName(repository)} ${options.tlsVerify === false}`;
    const home = this.#homes.get(name) ?? (await this.#findHome(repository, options));
    if (this.#homes.size >= MAX_HOMES) this.#homes.clear();
    this.#homes.set(name, home);
    return { home, url: apiUrl(home, `${repository.path}/${rest}`) };
  }

  async #findHome(repository: Reference, options: RegistryRequest): Promise<Endpoint> {
    const targets = await this.#connection.sources(repository, 'push', options);
    const walk = this.#connection.walk(repository, targets, options.signal);
    return walkSources(walk, async (home, { headMs }) => {
      const call: PushCall = { method: 'GET', url: apiUrl(home, ''), home, headMs };
      await this.#call(call, { repository, options, expected: [200] });
      return home;
    });
  }

  async #call(call: PushCall, { repository, options, expected }: Context): Promise<TransportResponse> {
    const { home, url } = call;
    const isHome = url.origin === home.trust.origin;
    const signal = call.signal ?? options.signal;
    const response = await this.#connection.transport.send({
      method: call.method,
      url,
      headers: call.headers ?? {},
      body: call.body,
      signal,
      headMs: call.headMs ?? this.#connection.timing.originHeadMs,
      credentials: isHome && home.isRegistry ? options.credentials : undefined,
      scopes: [
        `repository:${repository.path}:pull,push`,
        ...(call.pullFrom === undefined ? [] : [`repository:${call.pullFrom}:pull`]),
      ],
      trust: home.trust,
    });
    if (expected.includes(response.status)) {
      await discardBody(response);
      return response;
    }
    const limits = this.#connection.limits(home, { ...options, signal });
    throw await errorFromResponse(response, repository, { ...limits, pushing: true });
  }
}
