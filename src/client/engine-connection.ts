import { EngineError } from '../errors/engine-error.ts';
import { type Json, parseJson, stringifyJson } from '../wire/json.ts';
import { API_VERSION, compareApiVersions } from '../wire/versions.ts';
import { ApiError, apiErrorOf } from './api-error.ts';
import { MAX_ANSWER_LENGTH, readText } from './http1/http1-transport.ts';
import { jsonLines } from './json-lines.ts';
import { encodeQuery, type QueryValue } from './query.ts';
import { type TimedCall, timedTransport } from './timed-transport.ts';
import type {
  BufferedResponse,
  HijackedConnection,
  HttpMethod,
  StreamedResponse,
  Transport,
} from './transport.ts';

/** What a daemon without an Api-Version header is taken for. */
const OLDEST_VERSION = '1.24';

export interface CallOptions {
  query?: Record<string, QueryValue>;
  /** Sent as JSON, bigints as bare digits. */
  json?: unknown;
  /** Sent as it is; `contentType` names it. */
  body?: Uint8Array | AsyncIterable<Uint8Array>;
  contentType?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

export interface ConnectionOptions {
  /** Fixed instead of negotiated. */
  apiVersion?: string | undefined;
  userAgent?: string;
  /** Sent with every request. */
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  text: string;
}

export interface PingResult {
  apiVersion: string;
  osType: string;
  /** Who answers, `Docker/28.5.2 (linux)` or `Sampan/0.1.0 (linux)`. */
  server: string;
}

/**
 * Calls to one daemon. The API version is negotiated by the first one: the daemon's own or ours, whichever is older.
 *
 * Every call throws ApiError for an answer of 400 and above, and EngineError "unavailable" when there is no daemon.
 */
export class EngineConnection {
  #transport: Transport;
  readonly #userAgent: string;
  readonly #extraHeaders: Record<string, string>;
  #version: string | undefined;
  #presumed = false;
  #negotiation: Promise<PingResult> | undefined;

  constructor(transport: Transport, options: ConnectionOptions = {}) {
    this.#transport = transport;
    this.#version = options.apiVersion;
    this.#userAgent = options.userAgent ?? 'Sampan-Client';
    this.#extraHeaders = options.headers ?? {};
  }

  get endpoint(): string {
    return this.#transport.endpoint;
  }

  /** Ask the daemon who it is; made once, its answer settles the version of all later calls. */
  ping(): Promise<PingResult> {
    this.#negotiation ??= this.#ping();
    return this.#negotiation;
  }

  /**
   * Let the next call speak our own version unasked, which saves a round to a daemon that knows it. One that doesn't refuses the call,
   * and is then asked.
   */
  presumeVersion(): void {
    this.#presumed = this.#version === undefined && this.#negotiation === undefined;
  }

  /** Tell of each call from now on, and ask the daemon where the time goes. */
  watchCalls(tell: (call: TimedCall) => void): void {
    this.#transport = timedTransport(this.#transport, tell);
  }

  /** That many calls will follow at once: connect for them meanwhile. */
  connectAhead(count: number): void {
    this.#transport.connectAhead?.(count);
  }

  async #ping(): Promise<PingResult> {
    const response = await this.#transport.request({
      method: 'HEAD',
      path: '/_ping',
      headers: this.#headers({}),
    });
    // A proxy or an old daemon may know no HEAD; without the header the oldest version is all that is safe.
    const apiVersion = response.header('api-version') ?? OLDEST_VERSION;
    const osType = response.header('ostype') ?? '';
    const server = response.header('server') ?? '';
    this.#version ??= compareApiVersions(apiVersion, API_VERSION) < 0 ? apiVersion : API_VERSION;
    return { apiVersion, osType, server };
  }

  /** The version in use, negotiated if need be. */
  async apiVersion(): Promise<string> {
    if (this.#version === undefined) await this.ping();
    return this.#version ?? API_VERSION;
  }

  /** @throws EngineError "invalid" in Docker's words when the daemon is older than `version`. */
  async require(version: string, what: string): Promise<void> {
    const current = await this.apiVersion();
    if (compareApiVersions(current, version) >= 0) return;
    throw new EngineError(
      'invalid',
      `${JSON.stringify(what)} requires API version ${version}, but the Docker daemon API version is ${current}`,
    );
  }

  /**
   * Calls that Docker's API hasn't got, and query parameters that it would pass over in silence, are for Sampan's daemon alone.
   *
   * @throws EngineError "not-implemented" when the daemon is another.
   */
  async requireSampan(doing: string): Promise<void> {
    const { server } = await this.ping();
    if (server.startsWith('Sampan/')) return;
    throw this.#lacks(doing, server, "Only Sampan's own daemon can: name it with -H or DOCKER_HOST.");
  }

  /**
   * Make a call that only Sampan's API has.
   *
   * @throws EngineError "not-implemented" when the daemon is another, or hasn't got it; else what `call` throws.
   */
  async own<T>(doing: string, call: () => Promise<T>): Promise<T> {
    await this.requireSampan(doing);
    try {
      return await call();
    } catch (error) {
      const absent = error instanceof ApiError && error.status === 404 && error.message === 'page not found';
      if (!absent) throw error;
      throw this.#lacks(doing, (await this.ping()).server, 'It is older than this client.');
    }
  }

  #lacks(doing: string, server: string, hint: string): EngineError {
    const name = server.replace(/ .*/, '') || 'an unknown one';
    return new EngineError(
      'not-implemented',
      `Cannot ${doing}: the daemon at ${this.endpoint} can't do that (it is ${name})`,
      { hint },
    );
  }

  async call(method: HttpMethod, path: string, options: CallOptions = {}): Promise<Answer> {
    const response = this.#takePresumption(options)
      ? await this.#presumptuous(method, path, options)
      : await this.#transport.request(await this.#request(method, path, options));
    // A redirect would be followed by nobody: what was asked for has not been done. 304 says that it had been before.
    if (response.status >= 300 && response.status !== 304) throw apiErrorOf(response);
    return { status: response.status, text: response.text };
  }

  /** For one call, whose body can be sent again. */
  #takePresumption({ body }: CallOptions): boolean {
    const presumed = this.#presumed && (body === undefined || body instanceof Uint8Array);
    this.#presumed = false;
    return presumed;
  }

  async #presumptuous(method: HttpMethod, path: string, options: CallOptions): Promise<BufferedResponse> {
    this.#version = API_VERSION;
    const response = await this.#transport.request(await this.#request(method, path, options));
    // What an unknown version is answered differs: 400 in Docker's case. Neither has done anything.
    if (response.status !== 400 && response.status !== 404) return response;
    this.#version = undefined;
    await this.ping();
    if (this.#version === API_VERSION) return response;
    return await this.#transport.request(await this.#request(method, path, options));
  }

  /** The answer's JSON list. The caller names the shape of its elements. */
  async list<T>(method: HttpMethod, path: string, options: CallOptions = {}): Promise<T[]> {
    return decodeList<T>((await this.call(method, path, options)).text);
  }

  /** The answer's JSON, undecoded: integers beyond 2^53 are bigint. The caller names its shape. */
  async json<T = Json>(method: HttpMethod, path: string, options: CallOptions = {}): Promise<T> {
    return decodeAnswer<T>((await this.call(method, path, options)).text);
  }

  async stream(method: HttpMethod, path: string, options: CallOptions = {}): Promise<StreamedResponse> {
    const response = await this.#transport.stream(await this.#request(method, path, options));
    if (response.status < 400) return response;
    throw apiErrorOf({
      status: response.status,
      header: response.header,
      text: await readText(response.body),
    });
  }

  /** The answer's JSON lines as they come. The request is made by the first step. */
  async *jsonLines<T = Json>(
    method: HttpMethod,
    path: string,
    options: CallOptions = {},
  ): AsyncGenerator<T, void, undefined> {
    const { body } = await this.stream(method, path, options);
    for await (const line of jsonLines(body)) yield line as T;
  }

  async hijack(method: HttpMethod, path: string, options: CallOptions = {}): Promise<HijackedConnection> {
    const answer = await this.#transport.hijack(await this.#request(method, path, options));
    if ('input' in answer) return answer;
    if (answer.status >= 400) throw apiErrorOf(answer);
    throw new ApiError(answer.status, `unable to upgrade to tcp, received ${answer.status}`);
  }

  async #request(method: HttpMethod, path: string, options: CallOptions) {
    const version = await this.apiVersion();
    const headers = this.#headers(options.headers ?? {});
    let body: string | Uint8Array | AsyncIterable<Uint8Array> | undefined = options.body;
    if (options.json !== undefined) {
      body = `${stringifyJson(options.json)}\n`;
      headers['content-type'] = 'application/json';
    } else if (options.contentType !== undefined) headers['content-type'] = options.contentType;
    return {
      method,
      path: `/v${version}${path}${encodeQuery(options.query ?? {})}`,
      headers,
      ...(body === undefined ? {} : { body }),
      signal: options.signal,
    };
  }

  #headers(headers: Record<string, string>): Record<string, string> {
    return { 'user-agent': this.#userAgent, ...this.#extraHeaders, ...headers };
  }
}

/** A list, which Go writes as `null` when it is empty. */
function decodeList<T>(text: string): T[] {
  return text.trim() === 'null' ? [] : decodeAnswer<T[]>(text);
}

/** @throws EngineError "invalid" when the daemon's answer is no JSON. */
export function decodeAnswer<T>(text: string): T {
  const value = parseJson(text, { maxLength: MAX_ANSWER_LENGTH });
  if (value === null || typeof value !== 'object')
    throw new EngineError('invalid', `The daemon's answer is no JSON object: ${text.slice(0, 100)}`);
  return value as T;
}

/** A name or ID as one step of a path. @throws EngineError "invalid" when there is none. */
export function segment(what: 'container' | 'exec' | 'network' | 'volume' | 'token', name: string): string {
  const trimmed = name.trim();
  if (trimmed === '') throw new EngineError('invalid', `invalid ${what} name or ID: value is empty`);
  return encodeURIComponent(trimmed);
}

/**
 * An image's name within a path: its slashes, colons and `@` stay; everything else that would break a path is escaped.
 *
 * @throws ApiError 404 when there is none.
 */
export function namePath(name: string): string {
  if (name === '') throw new ApiError(404, 'No such image: ');
  return encodeURIComponent(name).replace(/%(2F|3A|40)/g, decodeURIComponent);
}
