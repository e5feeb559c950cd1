import { EngineError, kindOf } from '../../errors/engine-error.ts';
import { DEFAULT_DOMAIN, isDomain } from '../../oci/reference.ts';
import type {
  RegistryConfig,
  RegistryCredentials,
  RegistryLogin,
  RegistryRequest,
} from '../client/registry-client.ts';
import { apiUrl, type Endpoint } from '../sources/sources.ts';
import { type RegistryClientOptions, RegistryConnection } from '../transport/registry-connection.ts';
import { discardBody } from '../transport/response-body.ts';
import type { TransportResponse } from '../transport/transport.ts';
import { chooseChallenge } from './authorized-transport.ts';
import { basicAuthorization, purposeOf } from './token-client.ts';

type LoginOptions = Pick<RegistryRequest, 'signal' | 'tlsVerify'>;

const HUB_NAMES = new Set(['', DEFAULT_DOMAIN, 'index.docker.io']);
const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

/** Tries credentials over HTTP; always anew, whatever other clients have been told. */
export class LoginClient implements RegistryLogin {
  readonly #connection: RegistryConnection;

  /** @param to Settings, or a connection that is shared with other clients. */
  constructor(to: RegistryConfig | RegistryConnection, options: RegistryClientOptions = {}) {
    this.#connection = to instanceof RegistryConnection ? to : new RegistryConnection(to, options);
  }

  async login(
    credentials: RegistryCredentials,
    options: LoginOptions,
  ): Promise<{ status: string; identityToken: string }> {
    const domain = domainOf(credentials.serverAddress ?? '');
    const sources = await this.#connection.sources({ domain, path: '' }, 'resolve', options);
    let failure: unknown;
    for (const source of sources.filter(({ isRegistry, mirror }) => isRegistry && !mirror)) {
      if ((await source.isOffered?.()) === false) continue;
      try {
        return {
          status: 'Login Succeeded',
          identityToken: await this.#loginAt(source, credentials, options),
        };
      } catch (error) {
        options.signal.throwIfAborted();
        // Refused is refused: plain HTTP is tried for want of an answer alone.
        if (kindOf(error) === 'unauthorized') throw error;
        failure = error;
      }
    }
    throw (
      failure ?? new EngineError('invalid', `Cannot log in to ${domain}: its hosts.toml names another server`)
    );
  }

  async #loginAt(source: Endpoint, credentials: RegistryCredentials, options: LoginOptions): Promise<string> {
    const first = await this.#ping(source, undefined, options);
    if (first.status === 200) return '';
    if (first.status !== 401) throw refused(first);
    const challenge = chooseChallenge(first.headers.get('www-authenticate'), credentials);
    if (challenge === undefined) throw refused(first);
    if (challenge.scheme.kind === 'basic') {
      await this.#expectOk(source, basicAuthorization(credentials), options);
      return credentials.identityToken ?? '';
    }
    const { realm, service } = challenge.scheme;
    const token = await this.#connection.bare.tokens.login(
      {
        realm,
        service,
        scopes: [],
        credentials,
        purpose: purposeOf({ method: 'GET', url: apiUrl(source, '') }),
        secure: source.trust.origin.startsWith('https:'),
        trust: source.trust,
      },
      options.signal,
    );
    await this.#expectOk(source, `Bearer ${token.text}`, options);
    return token.identityToken || (credentials.identityToken ?? '');
  }

  async #expectOk(source: Endpoint, authorization: string | undefined, options: LoginOptions): Promise<void> {
    const response = await this.#ping(source, authorization, options);
    if (response.status !== 200) throw refused(response);
  }

  async #ping(
    source: Endpoint,
    authorization: string | undefined,
    { signal }: LoginOptions,
  ): Promise<TransportResponse> {
    const response = await this.#connection.bare.transport.send({
      method: 'GET',
      url: apiUrl(source, ''),
      headers: authorization === undefined ? {} : { authorization },
      signal,
      headMs: this.#connection.timing.originHeadMs,
      trust: source.trust,
    });
    await discardBody(response);
    return response;
  }
}

/** @throws EngineError "invalid", in Docker's words. */
function domainOf(serverAddress: string): string {
  const [host = ''] = serverAddress.replace(/^https?:\/\//, '').split(/[/?#]/, 1);
  if (HUB_NAMES.has(host)) return DEFAULT_DOMAIN;
  if (isDomain(host)) return host;
  const shown = JSON.stringify(
    /^https?:\/\//.test(serverAddress) ? serverAddress : `https://${serverAddress}`,
  );
  throw new EngineError('invalid', `unable to parse server address: parse ${shown}: invalid host name`);
}

/** dockerd answers 500 to this, also where the password was wrong: which of them it was only a token server tells. */
function refused({ status, url }: TransportResponse): EngineError {
  const text = [status, STATUS_TEXT[status] ?? ''].join(' ').trim();
  return new EngineError(
    'internal',
    `login attempt to ${url.origin}${url.pathname} failed with status: ${text}`,
    {
      code: 'registry-denied',
    },
  );
}
