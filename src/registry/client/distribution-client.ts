import { messageOf } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { DEFAULT_TAG, familiarName, type Reference } from '../../oci/reference.ts';
import { askElsewhere } from '../sources/elsewhere.ts';
import { walkSources } from '../sources/source-walk.ts';
import type { Endpoint } from '../sources/sources.ts';
import {
  plainSource,
  type RegistryClientOptions,
  RegistryConnection,
} from '../transport/registry-connection.ts';
import { readBody } from '../transport/response-body.ts';
import { errorFromResponse, RegistryResponseError } from '../transport/response-errors.ts';
import { isTransient, pauseBefore } from '../transport/retry.ts';
import type { TransportResponse } from '../transport/transport.ts';
import { type BlobPart, blobBody } from './blob-body.ts';
import { notTheBlob, partOf } from './blob-part.ts';
import { checkManifest, MANIFEST_TYPES, MAX_MANIFEST_BYTES } from './manifest-check.ts';
import type {
  BlobRequest,
  BlobStream,
  RegistryClient,
  RegistryConfig,
  RegistryRequest,
  RegistrySource,
  ResolvedHead,
  ResolvedManifest,
} from './registry-client.ts';
import { TagCheck } from './tag-check.ts';

interface Question {
  about: Reference;
  source: Endpoint;
  headMs: number;
  options: RegistryRequest;
}

/** The registry client over HTTP. */
export class DistributionClient implements RegistryClient {
  readonly #connection: RegistryConnection;

  /** @param to Settings, or a connection that is shared with other clients. */
  constructor(to: RegistryConfig | RegistryConnection, options: RegistryClientOptions = {}) {
    this.#connection = to instanceof RegistryConnection ? to : new RegistryConnection(to, options);
  }

  async manifest(reference: Reference, options: RegistryRequest): Promise<ResolvedManifest> {
    const { timing } = this.#connection;
    for (let attempt = 1; ; attempt++) {
      try {
        if (reference.digest !== undefined) return await this.#byDigest(reference, options);
        return await this.#byTag(reference, options);
      } catch (error) {
        // A host that isn't there won't be in half a second; one that is busy may.
        if (attempt >= timing.manifestAttempts || !(error instanceof RegistryResponseError)) throw error;
        await pauseBefore(attempt, error, { timing, signal: options.signal });
      }
    }
  }

  async head(reference: Reference, options: RegistryRequest): Promise<ResolvedHead | undefined> {
    const capability = reference.digest === undefined ? 'resolve' : 'pull';
    const sources = await this.#connection.sources(reference, capability, options);
    return this.#headAt(reference, sources, options);
  }

  async blob(repository: Reference, digest: Digest, options: BlobRequest): Promise<BlobStream> {
    const { memory, timing } = this.#connection;
    const used = new Map<string, RegistrySource>();
    let source = options.source;
    let connections = 0;
    const open = async (start: number): Promise<BlobPart> => {
      // A mirror that broke off twice has had its chance: it is asked last now.
      const preferred = connections < 2 || source?.mirror !== true ? source : undefined;
      if (preferred === undefined && source !== undefined) memory.failed(source);
      const request = { ...options, start, source: preferred };
      const answer = await this.#openBlob(repository, digest, request).catch((error: unknown) =>
        this.#openElsewhere(digest, request, error),
      );
      connections = answer.source.baseUrl === source?.baseUrl ? connections + 1 : 1;
      source = answer.source;
      used.set(source.baseUrl, source);
      return answer.part;
    };
    const first = await open(options.start ?? 0);
    const { size, signal } = options;
    const body = blobBody({ first, reopen: open, size, timing, signal });
    const refuse = () => this.#leaveBehind([...used.values()], digest);
    return { start: first.start, body, source: source ?? { baseUrl: '', mirror: false }, refuse };
  }

  /** Bytes with a digest prove themselves: any source will do. */
  async #byDigest(reference: Reference, options: RegistryRequest): Promise<ResolvedManifest> {
    const sources = await this.#connection.sources(reference, 'pull', options);
    return this.#manifestAt(reference, sources, options);
  }

  /** What a tag means only those say that may: mirrors that are trusted with it, others as far as the registry doesn't contradict. */
  async #byTag(reference: Reference, options: RegistryRequest): Promise<ResolvedManifest> {
    const sources = await this.#connection.sources(reference, 'pull', options);
    const resolvers = sources.filter(({ capabilities }) => capabilities.has('resolve'));
    if (resolvers.length < sources.length) {
      const resolving = await this.#connection.sources(reference, 'resolve', options);
      const named = await this.#headAt(reference, resolving, options);
      if (named !== undefined)
        return this.#byDigest({ ...reference, digest: named.descriptor.digest }, options);
    }
    const check = new TagCheck((signal) => this.#registryWord(reference, { ...options, signal }));
    try {
      const found = await this.#manifestAt(reference, resolvers, options, check);
      const isChecked = sources.some((source) => source.isChecked && source.baseUrl === found.source.baseUrl);
      return isChecked ? await this.#checked(found, { reference, options, check }) : found;
    } finally {
      check.stop();
    }
  }

  #manifestAt(
    reference: Reference,
    sources: readonly Endpoint[],
    options: RegistryRequest,
    check?: TagCheck,
  ): Promise<ResolvedManifest> {
    return walkSources(this.#connection.walk(reference, sources, options.signal), (source, { headMs }) => {
      if (source.isChecked) check?.start();
      return this.#manifestFrom({ about: reference, source, headMs, options });
    });
  }

  /** The registry's word wins over a mirror's, unless what it names is nowhere to be had. */
  async #checked(
    found: ResolvedManifest,
    { reference, options, check }: { reference: Reference; options: RegistryRequest; check: TagCheck },
  ): Promise<ResolvedManifest> {
    const { timing, logger } = this.#connection;
    const digest = await check.word(timing.tagCheckMs);
    options.signal.throwIfAborted();
    if (digest === undefined || digest === found.descriptor.digest) return found;
    logger.warn("mirror has another image under the tag than the registry, taking the registry's", {
      mirror: found.source.baseUrl,
      image: familiarName(reference),
      mirrorDigest: found.descriptor.digest,
      digest,
    });
    try {
      return await this.#byDigest({ ...reference, digest }, options);
    } catch (error) {
      options.signal.throwIfAborted();
      logger.warn("the registry's image can't be had, taking the mirror's", {
        mirror: found.source.baseUrl,
        image: familiarName(reference),
        reason: messageOf(error),
      });
      return found;
    }
  }

  /** Of a registry that kept silent the last time nothing is asked for a while. */
  async #registryWord(reference: Reference, options: RegistryRequest): Promise<Digest | undefined> {
    const { memory } = this.#connection;
    const sources = await this.#connection.sources(reference, 'resolve', options);
    const origins = sources.filter((source) => !source.mirror && !memory.isSilent(source));
    if (origins.length === 0) return undefined;
    try {
      return (await this.#headAt(reference, origins, options))?.descriptor.digest;
    } catch (error) {
      const answered = error instanceof RegistryResponseError;
      if (!answered) for (const origin of origins) memory.keptSilent(origin);
      throw error;
    }
  }

  #headAt(
    reference: Reference,
    sources: readonly Endpoint[],
    options: RegistryRequest,
  ): Promise<ResolvedHead | undefined> {
    return walkSources(
      this.#connection.walk(reference, sources, options.signal),
      async (source, { headMs }) => {
        const question = { about: reference, source, headMs, options };
        const response = await this.#ask(question, { method: 'HEAD', ...manifestRequest(reference) });
        // A HEAD's answer has no body to tell why: ask in full.
        if (response.status !== 200) return this.#manifestFrom(question);
        response.cancel();
        const descriptor = describedBy(response.headers);
        return descriptor === undefined ? undefined : { descriptor, source: plainSource(source) };
      },
    );
  }

  async #openBlob(
    repository: Reference,
    digest: Digest,
    options: BlobRequest & { start: number },
  ): Promise<{ part: BlobPart; source: RegistrySource }> {
    const { timing } = this.#connection;
    const { except = [] } = options;
    for (let attempt = 1; ; attempt++) {
      try {
        const sources = await this.#connection.sources(repository, 'pull', options);
        const honest = sources.filter(({ baseUrl }) => !except.some((one) => one.baseUrl === baseUrl));
        return await walkSources(
          this.#connection.walk(repository, honest, options.signal),
          async (source, { headMs }) => ({
            part: await this.#blobFrom({ about: repository, source, headMs, options }, digest, options.start),
            source: plainSource(source),
          }),
        );
      } catch (error) {
        if (attempt >= timing.blobAttempts || !isTransient(error)) throw error;
        // There was one to ask, and it lied: what is to be told is that, and soon.
        if (except.length > 0 && !(error instanceof RegistryResponseError)) throw error;
        await pauseBefore(attempt, error, { timing, signal: options.signal });
      }
    }
  }

  /** Not where what the registry sent was wrong: then it has it. */
  async #openElsewhere(
    digest: Digest,
    options: BlobRequest & { start: number },
    refused: unknown,
  ): Promise<{ part: BlobPart; source: RegistrySource }> {
    const { urls = [], start, signal } = options;
    if (urls.length === 0 || signal.aborted || (options.except ?? []).length > 0) throw refused;
    const { bare, timing } = this.#connection;
    const response = await askElsewhere({ urls, digest, start, signal }, { ...bare, timing }, refused);
    const source = { baseUrl: response.url.origin, mirror: false };
    const part = partOf(response, { start, stallMs: timing.stallMs });
    if (part !== undefined) return { part, source };
    response.cancel();
    throw notTheBlob(digest);
  }

  #leaveBehind(sources: readonly RegistrySource[], digest: Digest): RegistrySource[] {
    const { memory, logger } = this.#connection;
    const mirrors = sources.filter(({ mirror }) => mirror);
    for (const mirror of mirrors)
      if (memory.failed(mirror))
        logger.warn('mirror sent wrong bytes, asking the next source', { mirror: mirror.baseUrl, digest });
    return mirrors;
  }

  async #manifestFrom(question: Question): Promise<ResolvedManifest> {
    const { about, source, options } = question;
    const response = await this.#ask(question, { method: 'GET', ...manifestRequest(about) });
    if (response.status !== 200) throw await this.#failure(response, question);
    const limits = this.#connection.limits(source, options);
    const bytes = await readBody(response, { ...limits, maxBytes: MAX_MANIFEST_BYTES });
    const descriptor = checkManifest(bytes, {
      reference: about,
      contentType: response.headers.get('content-type'),
      digest: response.headers.get('docker-content-digest'),
    });
    return { descriptor, bytes, source: plainSource(source) };
  }

  async #blobFrom(question: Question, digest: Digest, start: number): Promise<BlobPart> {
    const response = await this.#ask(question, {
      method: 'GET',
      path: `blobs/${digest}`,
      headers: start > 0 ? { range: `bytes=${start}-` } : {},
    });
    const { stallMs } = this.#connection.limits(question.source, question.options);
    const part = partOf(response, { start, stallMs });
    if (part !== undefined) return part;
    if (response.status !== 200 && response.status !== 206) throw await this.#failure(response, question);
    response.cancel();
    throw notTheBlob(digest);
  }

  #ask(
    { about, source, headMs, options }: Question,
    request: { method: 'GET' | 'HEAD'; path: string; headers: Record<string, string> },
  ): Promise<TransportResponse> {
    return this.#connection.ask(source, {
      ...request,
      path: `${about.path}/${request.path}`,
      scopes: [`repository:${about.path}:pull`],
      headMs,
      options,
    });
  }

  #failure(
    response: TransportResponse,
    { about, source, options }: Question,
  ): Promise<RegistryResponseError> {
    return errorFromResponse(response, about, this.#connection.limits(source, options));
  }
}

function manifestRequest({ digest, tag }: Reference): { path: string; headers: Record<string, string> } {
  return {
    path: `manifests/${digest ?? tag ?? DEFAULT_TAG}`,
    headers: { accept: MANIFEST_TYPES.join(', ') },
  };
}

function describedBy(headers: Headers): Descriptor | undefined {
  const digest = headers.get('docker-content-digest') ?? '';
  const [mediaType = ''] = (headers.get('content-type') ?? '').split(';', 1);
  const size = headers.get('content-length') ?? '';
  if (!isDigest(digest) || !MANIFEST_TYPES.includes(mediaType) || !/^\d{1,7}$/.test(size)) return undefined;
  return { mediaType, digest, size: Number(size) };
}
