import { setMaxListeners } from 'node:events';
import { EngineError } from '../errors/engine-error.ts';
import { type Logger, silentLogger } from '../errors/logger.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { DEFAULT_TAG, familiarName, familiarRepository, type Reference } from '../oci/reference.ts';
import { AuthorizedTransport } from './authorized-transport.ts';
import { type BlobPart, blobBody } from './blob-body.ts';
import { checkManifest, MANIFEST_TYPES, MAX_MANIFEST_BYTES } from './manifest-check.ts';
import type {
  BlobRequest,
  BlobStream,
  RegistryClient,
  RegistryConfig,
  RegistryRequest,
  RegistrySource,
  ResolvedManifest,
} from './registry-client.ts';
import { readBody } from './response-body.ts';
import { errorFromResponse, RegistryResponseError } from './response-errors.ts';
import { isTransient, pauseBefore } from './retry.ts';
import { type Walk, walkSources } from './source-walk.ts';
import { apiUrl, SourceMemory, sourcesOf } from './sources.ts';
import { defaultTiming, type RegistryTiming } from './timing.ts';
import { Transport, type TransportResponse } from './transport.ts';

export interface DistributionClientOptions {
  logger?: Logger;
  /** For tests: less patience. */
  timing?: Partial<RegistryTiming>;
}

interface Question {
  about: Reference;
  source: RegistrySource;
  headMs: number;
  options: RegistryRequest;
}

/** The registry client over HTTP. Tokens, schemes and dead mirrors are remembered per instance; nothing is written anywhere. */
export class DistributionClient implements RegistryClient {
  readonly #config: RegistryConfig;
  readonly #logger: Logger;
  readonly #timing: RegistryTiming;
  readonly #transport: AuthorizedTransport;
  readonly #memory: SourceMemory;

  constructor(config: RegistryConfig, options: DistributionClientOptions = {}) {
    this.#config = config;
    this.#logger = options.logger ?? silentLogger;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#transport = new AuthorizedTransport(new Transport(config), this.#timing);
    this.#memory = new SourceMemory(this.#timing.deadMirrorMs);
  }

  async manifest(reference: Reference, options: RegistryRequest): Promise<ResolvedManifest> {
    const walk = this.#walk(reference, options);
    for (let attempt = 1; ; attempt++) {
      try {
        return await walkSources(walk(), (source, { headMs }) =>
          this.#manifestFrom({ about: reference, source, headMs, options }),
        );
      } catch (error) {
        // A host that isn't there won't be in half a second; one that is busy may.
        if (attempt >= this.#timing.manifestAttempts || !(error instanceof RegistryResponseError))
          throw error;
        await pauseBefore(attempt, error, { timing: this.#timing, signal: options.signal });
      }
    }
  }

  /**
   * What a reference names now, by a HEAD request: it costs no pull where pulls are counted. Unverified, as nothing was sent; undefined where the
   * registry doesn't tell.
   *
   * @throws as `manifest`.
   */
  async head(
    reference: Reference,
    options: RegistryRequest,
  ): Promise<{ descriptor: Descriptor; source: RegistrySource } | undefined> {
    return walkSources(this.#walk(reference, options)(), async (source, { headMs }) => {
      const question = { about: reference, source, headMs, options };
      const response = await this.#ask(question, { method: 'HEAD', ...manifestRequest(reference) });
      // A HEAD's answer has no body to tell why: ask in full.
      if (response.status !== 200) return this.#manifestFrom(question);
      response.cancel();
      const descriptor = describedBy(response.headers);
      return descriptor === undefined ? undefined : { descriptor, source };
    });
  }

  async blob(repository: Reference, digest: Digest, options: BlobRequest): Promise<BlobStream> {
    let source = options.source;
    let connections = 0;
    const open = async (start: number): Promise<BlobPart> => {
      // A mirror that broke off twice has had its chance: it is asked last now.
      const preferred = connections < 2 || source?.mirror !== true ? source : undefined;
      if (preferred === undefined && source !== undefined) this.#memory.failed(source);
      const answer = await this.#openBlob(repository, digest, { ...options, start, source: preferred });
      connections = answer.source.baseUrl === source?.baseUrl ? connections + 1 : 1;
      source = answer.source;
      return answer.part;
    };
    const first = await open(options.start ?? 0);
    const { size, signal } = options;
    const body = blobBody({ first, reopen: open, size, timing: this.#timing, signal });
    return { start: first.start, body, source: source ?? { baseUrl: '', mirror: false } };
  }

  async #openBlob(
    repository: Reference,
    digest: Digest,
    options: RegistryRequest & { start: number },
  ): Promise<{ part: BlobPart; source: RegistrySource }> {
    const walk = this.#walk(repository, options);
    for (let attempt = 1; ; attempt++) {
      try {
        return await walkSources(walk(), async (source, { headMs }) => ({
          part: await this.#blobFrom({ about: repository, source, headMs, options }, digest, options.start),
          source,
        }));
      } catch (error) {
        if (attempt >= this.#timing.blobAttempts || !isTransient(error)) throw error;
        await pauseBefore(attempt, error, { timing: this.#timing, signal: options.signal });
      }
    }
  }

  /** The sources in today's order, anew for each attempt. */
  #walk(about: Reference, options: RegistryRequest): () => Walk {
    // One pull, many requests that listen to one signal.
    setMaxListeners(0, options.signal);
    return () => ({
      sources: this.#memory.order(sourcesOf(about.domain, this.#config), options.source),
      name:
        about.tag === undefined && about.digest === undefined
          ? familiarRepository(about)
          : familiarName(about),
      memory: this.#memory,
      logger: this.#logger,
      timing: this.#timing,
      signal: options.signal,
    });
  }

  async #manifestFrom(question: Question): Promise<ResolvedManifest> {
    const { about, source } = question;
    const response = await this.#ask(question, { method: 'GET', ...manifestRequest(about) });
    if (response.status !== 200) throw await this.#failure(response, question);
    const bytes = await readBody(response, { ...this.#limits(question), maxBytes: MAX_MANIFEST_BYTES });
    const descriptor = checkManifest(bytes, {
      reference: about,
      contentType: response.headers.get('content-type'),
      digest: response.headers.get('docker-content-digest'),
    });
    return { descriptor, bytes, source };
  }

  async #blobFrom(question: Question, digest: Digest, start: number): Promise<BlobPart> {
    const response = await this.#ask(question, {
      method: 'GET',
      path: `blobs/${digest}`,
      headers: start > 0 ? { range: `bytes=${start}-` } : {},
    });
    const empty = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
    const part = { start: 0, body: response.body ?? empty, cancel: () => response.cancel() };
    if (response.status === 200 && !isHtml(response)) return part;
    const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    if (response.status === 206 && start > 0 && Number(range?.[1]) === start) return { ...part, start };
    if (response.status === 416 && Number(range?.[2]) === start) {
      response.cancel();
      return { ...part, start, body: empty };
    }
    if (response.status !== 200 && response.status !== 206) throw await this.#failure(response, question);
    response.cancel();
    throw new EngineError(
      'unavailable',
      `Cannot read blob ${digest}: the registry's answer is not the blob`,
      {
        code: 'registry-unreachable',
      },
    );
  }

  #ask(
    question: Question,
    request: { method: 'GET' | 'HEAD'; path: string; headers: Record<string, string> },
  ): Promise<TransportResponse> {
    const { about, source, headMs, options } = question;
    return this.#transport.send({
      method: request.method,
      url: apiUrl(source, `${about.path}/${request.path}`),
      headers: { 'accept-encoding': 'identity', ...request.headers },
      signal: options.signal,
      headMs,
      // What was given for the origin is no mirror's business.
      credentials: source.mirror ? undefined : options.credentials,
      scopes: [`repository:${about.path}:pull`],
    });
  }

  #failure(response: TransportResponse, question: Question): Promise<RegistryResponseError> {
    return errorFromResponse(response, question.about, this.#limits(question));
  }

  #limits({ options }: Question): { signal: AbortSignal; stallMs: number } {
    return { signal: options.signal, stallMs: this.#timing.stallMs };
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
  const mediaType = headers.get('content-type') ?? '';
  const size = headers.get('content-length') ?? '';
  if (!isDigest(digest) || !MANIFEST_TYPES.includes(mediaType) || !/^\d{1,7}$/.test(size)) return undefined;
  return { mediaType, digest, size: Number(size) };
}

function isHtml(response: TransportResponse): boolean {
  return /^text\/html\b/i.test(response.headers.get('content-type') ?? '');
}
