import type { FailureLimit } from './failure-limit.ts';
import { RegistryRefusal } from './refusal.ts';
import type { Route } from './route.ts';

/** Who may come in by name and password. */
export interface Authenticator {
  /** Takes the same time whether or not there is such a user. */
  verify(username: string, password: string): Promise<boolean>;
}

export interface AccessPolicy {
  authenticator: Authenticator;
  failures: FailureLimit;
  /** Whoever comes without a name may read. */
  anonymousRead: boolean;
  /** Shown by clients that ask for a password. */
  realm?: string;
}

const READ_METHODS = new Set(['GET', 'HEAD']);

/**
 * Let a request pass, or refuse it. `/v2/` alone always asks for a name: clients learn there how to log in, also those that may read without.
 *
 * @throws RegistryRefusal 401, 429
 */
export async function admit(
  policy: AccessPolicy,
  request: Request,
  { route, address }: { route: Route; address: string },
): Promise<void> {
  const credentials = basicCredentials(request.headers.get('authorization'));
  if (credentials === undefined) {
    if (policy.anonymousRead && READ_METHODS.has(request.method) && route.kind !== 'root') return;
    throw unauthorized(policy);
  }
  const attempt = policy.failures.begin(address, credentials.username);
  if (attempt === undefined) throw tooManyFailures(policy.failures.retryAfterSeconds);
  const known = await attempt.settle(policy.authenticator.verify(credentials.username, credentials.password));
  if (!known) throw unauthorized(policy);
}

/** Undefined for none, and for what is not in the form of RFC 7617. */
export function basicCredentials(header: string | null): { username: string; password: string } | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header?.trim() ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const at = text.indexOf(':');
  if (at < 1) return undefined;
  return { username: text.slice(0, at), password: text.slice(at + 1) };
}

function unauthorized({ realm = 'Registry' }: AccessPolicy): RegistryRefusal {
  return new RegistryRefusal(401, 'UNAUTHORIZED', 'authentication required', {
    headers: { 'www-authenticate': `Basic realm="${realm.replace(/["\\]/g, '')}"` },
  });
}

function tooManyFailures(seconds: number): RegistryRefusal {
  return new RegistryRefusal(429, 'TOOMANYREQUESTS', 'too many failed logins', {
    headers: { 'retry-after': String(seconds) },
  });
}
