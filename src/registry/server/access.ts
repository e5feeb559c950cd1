import type { FailureLimit } from './failure-limit.ts';
import { RegistryRefusal } from './refusal.ts';
import type { Route } from './route.ts';
import { TOKEN_SECONDS, type TokenIssuer } from './token-issuer.ts';

/** Who may come in by name and password. */
export interface Authenticator {
  /** Whether this was found right a short while ago; costs nothing. */
  remembers(username: string, password: string): Promise<boolean>;
  /** Takes the same time whether or not there is such a user. */
  verify(username: string, password: string): Promise<boolean>;
}

export interface AccessPolicy {
  authenticator: Authenticator;
  failures: FailureLimit;
  /**
   * Set: whoever comes without a name may read. Clients of Docker's kind give up where they are asked for a name by Basic and have none; by Bearer, they fetch
   * a token with or without one. So those who have a name show it at `/token`, or as Basic all the same.
   */
  anonymousRead?: TokenIssuer | undefined;
  /** Shown by clients that ask for a password. */
  realm?: string;
}

export interface Visit {
  request: Request;
  route: Route;
  /** The client's. */
  address: string;
  /** Where it finds us; '' where that isn't known. */
  base: string;
}

const READ_METHODS = new Set(['GET', 'HEAD']);

/**
 * Let a request pass, or refuse it. `/v2/` alone always asks for a name: clients learn there how to log in, also those that may read without.
 *
 * @throws RegistryRefusal 401, 429
 */
export async function admit(policy: AccessPolicy, visit: Visit): Promise<void> {
  const { request, route } = visit;
  const authorization = request.headers.get('authorization');
  const mayRead = policy.anonymousRead !== undefined && READ_METHODS.has(request.method);
  const bearer = /^bearer +([\w.-]+)$/i.exec(authorization?.trim() ?? '')?.[1];
  if (bearer !== undefined && policy.anonymousRead !== undefined) {
    const holder = policy.anonymousRead.verify(bearer);
    if (holder !== undefined && (holder.username !== undefined || mayRead)) return;
    throw unauthorized(policy, visit, holder === undefined ? 'invalid_token' : 'insufficient_scope');
  }
  const credentials = basicCredentials(authorization);
  if (credentials === undefined) {
    if (mayRead && route.kind !== 'root') return;
    throw unauthorized(policy, visit);
  }
  if (!(await knows(policy, credentials, visit.address))) throw unauthorized(policy, visit);
}

/**
 * `/token`: a token for a user, or for whoever has no name. It is not bound to a scope: what its holder may do is the same everywhere.
 *
 * @throws RegistryRefusal 401, 404 where no tokens are given, 429
 */
export async function tokenEndpoint(policy: AccessPolicy | undefined, visit: Visit): Promise<Response> {
  const issuer = policy?.anonymousRead;
  if (policy === undefined || issuer === undefined) throw RegistryRefusal.notFound();
  if (visit.request.method !== 'GET') throw RegistryRefusal.method('GET');
  const authorization = visit.request.headers.get('authorization');
  const credentials = basicCredentials(authorization);
  const refused =
    credentials === undefined ? authorization !== null : !(await knows(policy, credentials, visit.address));
  if (refused) throw unauthorized({ ...policy, anonymousRead: undefined }, visit);
  const token = issuer.issue(credentials?.username);
  const issuedAt = new Date().toISOString();
  return Response.json(
    { token, access_token: token, expires_in: TOKEN_SECONDS, issued_at: issuedAt },
    { headers: { 'cache-control': 'no-store' } },
  );
}

interface Credentials {
  username: string;
  password: string;
}

/** @throws RegistryRefusal 429 */
async function knows(policy: AccessPolicy, credentials: Credentials, address: string): Promise<boolean> {
  const { authenticator, failures } = policy;
  const { username, password } = credentials;
  // Before the limit: what others get wrong behind the same address locks nobody out who is in.
  if (await authenticator.remembers(username, password)) return true;
  const known = await failures.attempt(address, username, () => authenticator.verify(username, password));
  if (known === undefined) throw tooManyFailures(failures.retryAfterSeconds);
  return known;
}

/** Undefined for none, and for what is not in the form of RFC 7617. */
export function basicCredentials(header: string | null): Credentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header?.trim() ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const at = text.indexOf(':');
  if (at < 1) return undefined;
  return { username: text.slice(0, at), password: text.slice(at + 1) };
}

function unauthorized(policy: AccessPolicy, visit: Visit, error?: string): RegistryRefusal {
  return new RegistryRefusal(401, 'UNAUTHORIZED', 'authentication required', {
    headers: { 'www-authenticate': challenge(policy, visit, error) },
  });
}

function challenge(
  { anonymousRead, realm = 'Registry' }: AccessPolicy,
  visit: Visit,
  error?: string,
): string {
  // Without knowing where clients find us there is no address to send them to.
  if (anonymousRead === undefined || visit.base === '') return `Basic realm="${realm.replace(/["\\]/g, '')}"`;
  const fields = [
    `realm="${visit.base}/token"`,
    `service="${new URL(visit.base).host}"`,
    ...scopeOf(visit),
    ...(error === undefined ? [] : [`error="${error}"`]),
  ];
  return `Bearer ${fields.join(',')}`;
}

function scopeOf({ request, route }: Visit): string[] {
  if (route.kind === 'catalog') return ['scope="registry:catalog:*"'];
  if (!('repository' in route)) return [];
  const actions = READ_METHODS.has(request.method)
    ? 'pull'
    : request.method === 'DELETE'
      ? 'delete'
      : 'pull,push';
  return [`scope="repository:${route.repository}:${actions}"`];
}

function tooManyFailures(seconds: number): RegistryRefusal {
  return new RegistryRefusal(429, 'TOOMANYREQUESTS', 'too many failed logins', {
    headers: { 'retry-after': String(seconds) },
  });
}
