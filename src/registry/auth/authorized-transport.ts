import { EngineError } from '../../errors/engine-error.ts';
import type { RegistryCredentials } from '../client/registry-client.ts';
import { discardBody } from '../transport/response-body.ts';
import { RegistryResponseError } from '../transport/response-errors.ts';
import {
  keepsSecrets,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '../transport/transport.ts';
import { parseChallenges } from './challenge.ts';
import { basicAuthorization, purposeOf, TokenClient, type TokenRequest } from './token-client.ts';

export interface AuthorizedRequest extends TransportRequest {
  credentials: RegistryCredentials | undefined;
  /** `repository:library/busybox:pull`: what it needs, beside what the registry asks for. */
  scopes: string[];
}

export type AuthorizationScheme =
  | { kind: 'basic' }
  | { kind: 'bearer'; realm: string; service: string | undefined };

/** Answers a registry's challenges: anonymous, basic, bearer. How a host wants it is remembered. */
export class AuthorizedTransport {
  readonly #transport: Transport;
  readonly #tokens: TokenClient;
  readonly #schemes = new Map<string, AuthorizationScheme>();

  constructor(transport: Transport, tokens: TokenClient) {
    this.#transport = transport;
    this.#tokens = tokens;
  }

  /**
   * A response of any status; 401 and 403 come back where no credential helps. Where a password is asked for and none was given, that is the error.
   *
   * A body that is a stream can't be sent twice, so callers with one have made an authorized request to that host before.
   *
   * @throws as `Transport.send` and `TokenClient.token`.
   */
  async send(request: AuthorizedRequest): Promise<TransportResponse> {
    const known = this.#schemes.get(request.url.origin);
    const first = await this.#authorize(request, known, []);
    const response = await this.#transport.send(first.request);
    // Where the registry only redirected to, nobody may say which token server gets its credentials.
    if (response.status !== 401 || !keepsSecrets(request.url, response.url)) return response;
    const challenge = chooseChallenge(response.headers.get('www-authenticate'), request.credentials);
    if (first.token !== undefined) this.#tokens.forget(first.token.request, first.token.text);
    if (challenge === undefined && wantsBasic(response, request)) throw noCredentials(request);
    if (challenge === undefined || request.body instanceof ReadableStream) return response;
    this.#remember(request.url.origin, challenge.scheme);
    const second = await this.#authorize(request, challenge.scheme, challenge.scopes);
    const offered = first.request.headers['authorization'];
    if (second.request.headers['authorization'] === offered) return response;
    await discardBody(response);
    return this.#transport.send(second.request);
  }

  async #authorize(
    request: AuthorizedRequest,
    scheme: AuthorizationScheme | undefined,
    asked: string[],
  ): Promise<{ request: TransportRequest; token?: { request: TokenRequest; text: string } }> {
    const { credentials } = request;
    if (credentials?.registryToken !== undefined && credentials.registryToken !== '')
      return { request: withAuthorization(request, `Bearer ${credentials.registryToken}`) };
    if (scheme?.kind === 'basic')
      return { request: withAuthorization(request, basicAuthorization(credentials)) };
    if (scheme === undefined) return { request };
    const token: TokenRequest = {
      realm: scheme.realm,
      service: scheme.service,
      scopes: [...new Set([...request.scopes, ...asked])].sort(),
      credentials: basicAuthorization(credentials) || credentials?.identityToken ? credentials : undefined,
      purpose: purposeOf(request),
      secure: request.url.protocol === 'https:',
      trust: request.trust,
    };
    const text = await this.#tokens.token(token, request.signal);
    return { request: withAuthorization(request, `Bearer ${text}`), token: { request: token, text } };
  }

  #remember(origin: string, scheme: AuthorizationScheme): void {
    if (this.#schemes.size > 1000) this.#schemes.clear();
    this.#schemes.set(origin, scheme);
  }
}

function wantsBasic(response: TransportResponse, { credentials }: AuthorizedRequest): boolean {
  const challenges = parseChallenges(response.headers.get('www-authenticate'));
  const given = [basicAuthorization(credentials), credentials?.registryToken].some(Boolean);
  return !given && challenges.some(({ scheme }) => scheme === 'basic');
}

/** In dockerd's words, and with its status 500: to a 401 the docker client answers by asking for a password. */
function noCredentials(request: AuthorizedRequest): RegistryResponseError {
  const error = new EngineError('internal', `${purposeOf(request)}: no basic auth credentials`, {
    code: 'registry-denied',
  });
  return new RegistryResponseError(error, { status: 401, retryAfterMs: undefined });
}

function withAuthorization(request: AuthorizedRequest, value: string | undefined): TransportRequest {
  if (value === undefined) return request;
  return { ...request, headers: { ...request.headers, authorization: value } };
}

/** The way that a WWW-Authenticate header offers: bearer before basic, basic only to who has a user name. */
export function chooseChallenge(
  header: string | null,
  credentials: RegistryCredentials | undefined,
): { scheme: AuthorizationScheme; scopes: string[] } | undefined {
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters['realm']);
  if (bearer?.parameters['realm'] !== undefined) {
    const { realm, service, scope } = bearer.parameters;
    const scopes = (scope ?? '').split(' ').filter((entry) => entry !== '');
    return { scheme: { kind: 'bearer', realm, service }, scopes };
  }
  const basic =
    challenges.some(({ scheme }) => scheme === 'basic') && basicAuthorization(credentials) !== undefined;
  return basic ? { scheme: { kind: 'basic' }, scopes: [] } : undefined;
}
