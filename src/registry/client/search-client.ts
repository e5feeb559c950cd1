import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { DEFAULT_DOMAIN, isDomain } from '../../oci/reference.ts';
import { basicAuthorization } from '../auth/token-client.ts';
import type { Endpoint } from '../sources/sources.ts';
import { type RegistryClientOptions, RegistryConnection } from '../transport/registry-connection.ts';
import { discardBody, readBody } from '../transport/response-body.ts';
import { recordOf, syntaxReason } from './loose-json.ts';
import type { RegistryConfig, RegistrySearch, SearchRequest, SearchResult } from './registry-client.ts';

const INDEX_URL = 'https://index.docker.io';
const DEFAULT_LIMIT = 25;
const MAX_RESULT_BYTES = 8 << 20;
const MAX_TEXT = 10_000;

interface Query {
  /** Without the host. */
  term: string;
  limit: number;
}

/** `/v1/search`, over HTTP. */
export class SearchClient implements RegistrySearch {
  readonly #connection: RegistryConnection;

  /** @param to Settings, or a connection that is shared with other clients. */
  constructor(to: RegistryConfig | RegistryConnection, options: RegistryClientOptions = {}) {
    this.#connection = to instanceof RegistryConnection ? to : new RegistryConnection(to, options);
  }

  async search(term: string, request: SearchRequest): Promise<SearchResult[]> {
    const { limit = DEFAULT_LIMIT, isOfficial, minStars } = request;
    if (term.includes('://'))
      throw new EngineError(
        'invalid',
        `invalid repository name: repository name (${term}) should not have a scheme`,
      );
    if (!Number.isInteger(limit) || limit < 1 || limit > 100)
      throw new EngineError('invalid', `limit ${limit} is outside the range of [1, 100]`);
    const { domain, rest } = splitTerm(term);
    const results = await (domain === DEFAULT_DOMAIN
      ? this.#searchHub({ term: rest.replace(/^library\//, ''), limit }, request)
      : this.#searchHost(domain, { term: rest, limit }, request));
    return results.filter(
      (result) =>
        (isOfficial === undefined || result.isOfficial === isOfficial) &&
        (minStars === undefined || result.starCount >= minStars),
    );
  }

  /** Docker's index; where that is out of reach, the mirrors of docker.io, which may have an index of their own. */
  async #searchHub(query: Query, request: SearchRequest): Promise<SearchResult[]> {
    const sources = await this.#connection.sources({ domain: DEFAULT_DOMAIN, path: '' }, 'resolve', request);
    const mirrors = sources.filter(({ mirror }) => mirror);
    const { originHeadMs, mirrorHeadMs } = this.#connection.timing;
    const headMs = mirrors.length > 0 ? mirrorHeadMs : originHeadMs;
    try {
      return await this.#searchAt({ base: INDEX_URL, query, headMs, source: undefined }, request);
    } catch (error) {
      for (const source of mirrors) {
        request.signal.throwIfAborted();
        const found = await this.#searchAt(
          { base: source.baseUrl, query, headMs: mirrorHeadMs, source },
          request,
        ).catch(() => undefined);
        if (found !== undefined) return found;
      }
      request.signal.throwIfAborted();
      throw error;
    }
  }

  async #searchHost(domain: string, query: Query, request: SearchRequest): Promise<SearchResult[]> {
    const sources = await this.#connection.sources({ domain, path: '' }, 'resolve', request);
    const own = sources.filter(({ mirror }) => !mirror);
    const failures: string[] = [];
    for (const source of own) {
      if ((await source.isOffered?.()) === false) continue;
      try {
        await this.#ping(source, request);
      } catch (error) {
        request.signal.throwIfAborted();
        failures.push(messageOf(error));
        continue;
      }
      const headMs = this.#connection.timing.originHeadMs;
      return this.#searchAt({ base: source.baseUrl, query, headMs, source }, request);
    }
    throw unreachable(domain, failures);
  }

  /** As dockerd, before the search: any answer shows that somebody is there who speaks the scheme. */
  async #ping({ baseUrl, trust }: Endpoint, { signal }: SearchRequest): Promise<void> {
    const response = await this.#connection.bare.transport.send({
      method: 'GET',
      url: new URL(`${baseUrl}/v1/_ping`),
      headers: {},
      signal,
      headMs: this.#connection.timing.originHeadMs,
      trust,
    });
    await discardBody(response);
  }

  async #searchAt(
    at: { base: string; query: Query; headMs: number; source: Endpoint | undefined },
    request: SearchRequest,
  ): Promise<SearchResult[]> {
    const { base, query, headMs, source } = at;
    const credentials = source?.mirror === true ? undefined : request.credentials;
    const basic = basicAuthorization(credentials);
    const url = new URL(`${base}/v1/search`);
    url.searchParams.set('q', query.term);
    url.searchParams.set('n', String(query.limit));
    const response = await this.#connection.transport.send({
      method: 'GET',
      url,
      headers: basic === undefined ? {} : { authorization: basic },
      signal: request.signal,
      headMs,
      credentials,
      scopes: ['registry:catalog:search'],
      trust: source?.trust,
    });
    const { stallMs } = this.#connection.timing;
    const limits = { signal: request.signal, stallMs, maxBytes: MAX_RESULT_BYTES };
    const body = await readBody(response, limits);
    if (response.status !== 200)
      throw new EngineError('internal', `Unexpected status code ${response.status}`);
    return decodeResults(new TextDecoder().decode(body)).slice(0, query.limit);
  }
}

/** What stands before the first `/` is a host where it looks like one. */
function splitTerm(term: string): { domain: string; rest: string } {
  const slash = term.indexOf('/');
  const head = term.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(head) || head === 'localhost';
  if (!isHost || head === 'docker.io' || head === 'index.docker.io')
    return { domain: DEFAULT_DOMAIN, rest: isHost ? term.slice(slash + 1) : term };
  if (!isDomain(head)) throw new EngineError('invalid', `invalid registry endpoint ${JSON.stringify(head)}`);
  return { domain: head, rest: term.slice(slash + 1) };
}

function unreachable(domain: string, failures: readonly string[]): EngineError {
  const [https = '', http] = failures;
  const reason =
    http === undefined
      ? `https://${domain}/v1/: ${https}. If this private registry supports only HTTP or HTTPS with an unknown CA certificate, please add \`--insecure-registry ${domain}\` to the daemon's arguments. In the case of HTTPS, if you have access to the registry's CA certificate, no need for the flag; simply place the CA certificate at /etc/docker/certs.d/${domain}/ca.crt`
      : `"http://${domain}/v1/". HTTPS attempt: ${https}. HTTP attempt: ${http}`;
  return new EngineError('invalid', `invalid registry endpoint ${reason}`, { code: 'registry-unreachable' });
}

function decodeResults(text: string): SearchResult[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new EngineError('internal', `error decoding registry search results: ${syntaxReason(text)}`, {
      cause,
    });
  }
  const results = recordOf(document)['results'];
  return (Array.isArray(results) ? results : []).map((entry: unknown): SearchResult => {
    const { name, description, star_count: stars, is_official: isOfficial } = recordOf(entry);
    return {
      name: textOf(name),
      description: textOf(description),
      starCount: typeof stars === 'number' && Number.isSafeInteger(stars) ? stars : 0,
      isOfficial: isOfficial === true,
    };
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : '';
}
