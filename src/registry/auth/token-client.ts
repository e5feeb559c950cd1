import { createHash } from 'node:crypto';
import { EngineError } from '../../errors/engine-error.ts';
import { recordOf } from '../client/loose-json.ts';
import type { RegistryCredentials } from '../client/registry-client.ts';
import type { HostTrust } from '../sources/sources.ts';
import { shownRequest } from '../transport/network-errors.ts';
import { readBody } from '../transport/response-body.ts';
import { parseErrors, RegistryResponseError, retryAfterOf } from '../transport/response-errors.ts';
import type { RegistryTiming } from '../transport/timing.ts';
import type { Transport, TransportRequest, TransportResponse } from '../transport/transport.ts';

/** What a Bearer challenge asks for. */
export interface TokenRequest {
  realm: string;
  service: string | undefined;
  /** `repository:library/busybox:pull`, sorted. */
  scopes: string[];
  credentials: RegistryCredentials | undefined;
  /** For messages: the request that the registry wanted a token for, `Get "https://…"`. */
  purpose: string;
  /** The registry was reached over HTTPS: then no password goes to a realm over plain HTTP. */
  secure: boolean;
  /** Of the registry: holds for the token server where that is the same host; its authorities hold in any case. */
  trust: HostTrust | undefined;
}

interface Token {
  text: string;
  expiresAtMs: number;
  /** What a login keeps in the password's place; empty where the server gives none. */
  identityToken: string;
}

interface FetchOptions {
  signal: AbortSignal;
  forLogin: boolean;
}

const MAX_TOKEN_BYTES = 1 << 20;
const MAX_CACHED = 1000;
/** Lifetime where the server names none (distribution token specification). */
const DEFAULT_LIFETIME_S = 60;
/** Taken off each lifetime: a request under way must not outlive its token. */
const MARGIN_MS = 5_000;
const CLIENT_ID = 'docker';

/** Fetches bearer tokens and keeps them, per realm, service, scopes and account, until shortly before they expire. */
export class TokenClient {
  readonly #transport: Transport;
  readonly #timing: RegistryTiming;
  readonly #tokens = new Map<string, Token>();
  /** The layers of an image come all at once: one of them asks. */
  readonly #fetching = new Map<string, Promise<Token>>();

  constructor(transport: Transport, timing: RegistryTiming) {
    this.#transport = transport;
    this.#timing = timing;
  }

  /** @throws EngineError "unauthorized" code registry-denied; "unavailable" code registry-unreachable. */
  async token(request: TokenRequest, signal: AbortSignal): Promise<string> {
    const key = cacheKey(request);
    const cached = this.#tokens.get(key);
    if (cached !== undefined && cached.expiresAtMs > Date.now()) return cached.text;
    const shared = this.#fetching.get(key);
    if (shared !== undefined) {
      const token = await shared.catch(() => undefined);
      signal.throwIfAborted();
      // Whoever asked first may have gone away: their failure isn't ours.
      return token?.text ?? (await this.token(request, signal));
    }
    const fetching = this.#fetch(request, { signal, forLogin: false });
    this.#fetching.set(key, fetching);
    try {
      const token = await fetching;
      this.#tokens.delete(key);
      if (this.#tokens.size >= MAX_CACHED) this.#tokens.delete(this.#tokens.keys().next().value ?? '');
      this.#tokens.set(key, token);
      return token.text;
    } finally {
      this.#fetching.delete(key);
    }
  }

  /** A token that nothing is remembered of, and an identity token with it where the server gives one. @throws as `token`. */
  login(request: TokenRequest, signal: AbortSignal): Promise<{ text: string; identityToken: string }> {
    return this.#fetch(request, { signal, forLogin: true });
  }

  /** The registry refused this token: don't offer it again. One that has come in its place meanwhile stays. */
  forget(request: TokenRequest, text: string): void {
    const key = cacheKey(request);
    if (this.#tokens.get(key)?.text === text) this.#tokens.delete(key);
  }

  async #fetch(request: TokenRequest, options: FetchOptions): Promise<Token> {
    const response = await this.#transport.send(this.#buildRequest(request, options));
    const limits = { signal: options.signal, stallMs: this.#timing.stallMs, maxBytes: MAX_TOKEN_BYTES };
    const text = new TextDecoder().decode(await readBody(response, limits));
    if (response.status !== 200) throw refused({ request, response, text });
    return decodeToken(text, request);
  }

  #buildRequest(request: TokenRequest, { signal, forLogin }: FetchOptions): TransportRequest {
    const url = realmUrl(request);
    const { credentials, service, scopes } = request;
    const { trust } = request;
    const base = { signal, headMs: this.#timing.originHeadMs, trust, tlsFallback: trust?.tls };
    if (credentials?.identityToken !== undefined && credentials.identityToken !== '') {
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: CLIENT_ID,
        refresh_token: credentials.identityToken,
        ...(service === undefined ? {} : { service }),
        ...(forLogin ? { access_type: 'offline' } : {}),
        scope: scopes.join(' '),
      });
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return { ...base, method: 'POST', url, headers, body: form.toString() };
    }
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    const basic = basicAuthorization(credentials);
    if (basic !== undefined) url.searchParams.set('account', credentials?.username ?? '');
    if (forLogin) {
      url.searchParams.set('offline_token', 'true');
      url.searchParams.set('client_id', CLIENT_ID);
    }
    return { ...base, method: 'GET', url, headers: basic === undefined ? {} : { authorization: basic } };
  }
}

/** `Basic …`, or undefined where there is no user name. */
export function basicAuthorization(credentials: RegistryCredentials | undefined): string | undefined {
  if (credentials?.username === undefined || credentials.username === '') return undefined;
  const pair = `${credentials.username}:${credentials.password ?? ''}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function realmUrl({ realm, credentials, secure, purpose }: TokenRequest): URL {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new EngineError('unavailable', `${purpose}: the registry names no valid token server`, {
      code: 'registry-unreachable',
    });
  if (secure && url.protocol === 'http:' && credentials !== undefined)
    throw new EngineError(
      'unauthorized',
      `${purpose}: refusing to send credentials to a token server over plain HTTP`,
      {
        code: 'registry-denied',
      },
    );
  url.username = '';
  url.password = '';
  return url;
}

function refused(answer: {
  request: TokenRequest;
  response: TransportResponse;
  text: string;
}): RegistryResponseError {
  const { request, response, text } = answer;
  const error = refusal(request, response.status, parseErrors(text)[0]?.message ?? '');
  return new RegistryResponseError(error, {
    status: response.status,
    retryAfterMs: retryAfterOf(response.headers),
  });
}

function refusal({ purpose }: TokenRequest, status: number, reason: string): EngineError {
  if (status === 403)
    return new EngineError(
      'forbidden',
      `${purpose}: denied: ${reason || 'requested access to the resource is denied'}`,
      { code: 'registry-denied' },
    );
  if (status === 401 || status === 400)
    return new EngineError(
      'unauthorized',
      `${purpose}: unauthorized: ${reason || 'authentication required'}`,
      {
        code: 'registry-denied',
      },
    );
  if (status === 429)
    return new EngineError('unavailable', `${purpose}: toomanyrequests: ${reason || 'too many requests'}`, {
      code: 'registry-rate-limited',
    });
  return new EngineError('unavailable', `${purpose}: received unexpected HTTP status: ${status}`, {
    code: 'registry-unreachable',
  });
}

function decodeToken(text: string, request: TokenRequest): Token {
  const body = parseObject(text);
  const token = [body['token'], body['access_token']].find(
    (value) => typeof value === 'string' && value !== '',
  );
  // A header value: anything else would let the token server write headers of ours.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw new EngineError(
      'unauthorized',
      `${request.purpose}: authorization server did not include a token in the response`,
      {
        code: 'registry-denied',
      },
    );
  const stated = body['expires_in'];
  const lifetime =
    typeof stated === 'number' && stated > 0 ? Math.min(stated, 24 * 3600) : DEFAULT_LIFETIME_S;
  const refresh = body['refresh_token'];
  return {
    text: token,
    expiresAtMs: Date.now() + Math.max(lifetime * 1000 - MARGIN_MS, MARGIN_MS),
    identityToken: typeof refresh === 'string' ? refresh : '',
  };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return recordOf(value);
  } catch {
    return {};
  }
}

/** The account enters as a hash, so that no password lies about in a map's keys. */
function cacheKey({ realm, service, scopes, credentials }: TokenRequest): string {
  const { username = '', password = '', identityToken = '' } = credentials ?? {};
  const account = createHash('sha256')
    .update(JSON.stringify([username, password, identityToken]))
    .digest('hex');
  return JSON.stringify([realm, service ?? '', scopes, account]);
}

/** `Get "https://…"` of a request, for `TokenRequest.purpose`. */
export function purposeOf(request: { method: string; url: URL }): string {
  return shownRequest(request.method, request.url);
}
