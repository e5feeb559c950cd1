import { EngineError } from '../../errors/engine-error.ts';
import type { RegistryConfig } from '../client/registry-client.ts';
import { isInsecureHost } from '../sources/host-match.ts';
import type { HostTrust } from '../sources/sources.ts';
import type { CertsDirectories, HostTls } from './certs-directories.ts';
import { headTimeout, shownRequest, unreachable } from './network-errors.ts';
import { outgoingFetch } from './outgoing-fetch.ts';
import { discardBody } from './response-body.ts';

export interface TransportRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: URL;
  headers: Record<string, string>;
  /** A stream can be sent once: a redirect of it is refused. */
  body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | string | undefined;
  signal: AbortSignal;
  /** Until the head of the response is here. */
  headMs: number;
  /** No redirect leads to plain HTTP. */
  httpsOnly?: boolean;
  /** Of the host that `url` is at; where a redirect leads it has no say. */
  trust?: HostTrust | undefined;
  /** For a host of which certs.d knows nothing: a registry's authorities hold for its token server too, as with Docker. */
  tlsFallback?: HostTls | undefined;
}

/** A response whose body, and with it the connection, ends with `cancel()` or the request's signal. */
export interface TransportResponse {
  status: number;
  headers: Headers;
  /** Where it came from, after redirects. */
  url: URL;
  body: ReadableStream<Uint8Array> | undefined;
  /** Stop here and let the connection go. Harmless after the end. */
  cancel(): void;
}

const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const SECRET_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization']);

/**
 * HTTP over Bun's fetch: TLS per host, proxies, a time limit on the head, and redirects that take no credential to another
 * host or down to plain HTTP. Bodies come as they were sent: nothing is decompressed.
 */
export class Transport {
  readonly #config: RegistryConfig;
  readonly #certs: CertsDirectories;

  constructor(config: RegistryConfig, certs: CertsDirectories) {
    this.#config = config;
    this.#certs = certs;
  }

  /** @throws EngineError "unavailable" code registry-unreachable; `signal.reason` when aborted. */
  async send(request: TransportRequest): Promise<TransportResponse> {
    if (!isHttp(request.url))
      throw addressError(request, 'the registry names an address that is no http or https URL');
    let current = request;
    for (let hop = 0; ; hop++) {
      const response = await this.#sendOnce(current);
      const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null;
      if (location === null || !follows(current)) return response;
      await discardBody(response);
      if (hop === MAX_REDIRECTS - 1) throw addressError(request, `stopped after ${MAX_REDIRECTS} redirects`);
      current = redirected(current, location);
    }
  }

  async #sendOnce(request: TransportRequest): Promise<TransportResponse> {
    request.signal.throwIfAborted();
    const trust = request.trust?.origin === request.url.origin ? request.trust : undefined;
    const tls = request.url.protocol === 'https:' ? { tls: await this.#tlsFor(request, trust) } : {};
    const connection = new Connection(request);
    try {
      const response = await outgoingFetch(request.url, this.#config.proxy, {
        method: request.method,
        headers: { 'user-agent': this.#config.userAgent, ...trust?.headers, ...request.headers },
        body: request.body ?? null,
        signal: connection.signal,
        ...tls,
      });
      connection.answered();
      return connection.responseFrom(response);
    } catch (error) {
      throw connection.failure(error);
    }
  }

  async #tlsFor({ url, tlsFallback }: TransportRequest, trust: HostTrust | undefined) {
    const own = trust?.tls ?? (await this.#certs.tls(url.host));
    const tls = Object.keys(own).length === 0 ? (tlsFallback ?? own) : own;
    const known = trust?.insecure ?? isInsecureHost(url.host, this.#config.insecure);
    const insecure = typeof known === 'function' ? await known() : known;
    return insecure ? { ...tls, rejectUnauthorized: false } : tls;
  }
}

/** The life of one request: joins the caller's signal, the limit on the head and our own cancel. */
class Connection {
  readonly #request: TransportRequest;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #onAbort: () => void;
  #timedOut = false;

  constructor(request: TransportRequest) {
    this.#request = request;
    this.#onAbort = () => this.#controller.abort(request.signal.reason);
    request.signal.addEventListener('abort', this.#onAbort);
    this.#timer = setTimeout(() => {
      this.#timedOut = true;
      this.#controller.abort();
    }, request.headMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  answered(): void {
    clearTimeout(this.#timer);
  }

  responseFrom(response: Response): TransportResponse {
    const cancel = () => {
      this.#release();
      this.#controller.abort();
    };
    if (response.body === null) this.#release();
    return {
      status: response.status,
      headers: response.headers,
      url: this.#request.url,
      body: response.body ?? undefined,
      cancel,
    };
  }

  failure(error: unknown): unknown {
    this.#release();
    const { signal, method, url } = this.#request;
    if (signal.aborted) return signal.reason;
    if (error instanceof EngineError) return error;
    // As dockerd, which asks for the API's root first: whether the registry is there doesn't depend on the image.
    const what = shownRequest(method === 'HEAD' ? 'GET' : method, apiRootOf(url));
    return this.#timedOut ? headTimeout(what) : unreachable(what, url, error);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
  }
}

function apiRootOf(url: URL): URL {
  const at = url.pathname.indexOf('/v2/');
  return at < 0 ? url : new URL(url.pathname.slice(0, at + 4), url.href);
}

/** Only what carries no body is sent again. */
function follows(request: TransportRequest): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && request.body === undefined;
}

function redirected(request: TransportRequest, location: string): TransportRequest {
  const target = URL.canParse(location, request.url.href) ? new URL(location, request.url.href) : undefined;
  if (target === undefined || !isHttp(target))
    throw addressError(request, 'redirected to an address that is no http or https URL');
  if (request.httpsOnly === true && target.protocol !== 'https:')
    throw addressError(request, 'redirected to plain HTTP');
  const trusted = keepsSecrets(request.url, target);
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => trusted || !SECRET_HEADERS.has(name.toLowerCase())),
  );
  return { ...request, url: target, headers };
}

/** Bun's fetch would read files as well. */
function isHttp({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

/** Whether what is secret between us and `from` may be told at `to`, where that redirected to: the same host, not down to plain HTTP. */
export function keepsSecrets(from: URL, to: URL): boolean {
  const downgrade = from.protocol === 'https:' && to.protocol === 'http:';
  return to.host === from.host && !downgrade;
}

function addressError(request: TransportRequest, reason: string): EngineError {
  return new EngineError('unavailable', `${shownRequest(request.method, request.url)}: ${reason}`, {
    code: 'registry-unreachable',
  });
}
