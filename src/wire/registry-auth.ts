import { EngineError } from '../errors/engine-error.ts';
import { parseJson, stringifyJson } from './json.ts';

/** Docker's `AuthConfig`: the content of `X-Registry-Auth` and the body of `POST /auth`. */
export interface AuthConfig {
  username?: string;
  password?: string;
  auth?: string;
  email?: string;
  serveraddress?: string;
  identitytoken?: string;
  registrytoken?: string;
}

/**
 * Query of every call that reaches a registry: pull, push, copy, search, `/auth` and `/distribution`. Sampan's own; Docker passes it
 * over in silence.
 */
export interface TlsVerifyQuery {
  /** `0`: for this call the registry may speak plain HTTP or show any certificate. */
  tlsVerify?: '0';
}

const FIELDS = [
  'username',
  'password',
  'auth',
  'email',
  'serveraddress',
  'identitytoken',
  'registrytoken',
] as const;

/** The value of the `X-Registry-Auth` header: base64url of the JSON, padded, fields in order and empty ones left out, as Go encodes it. */
export function encodeRegistryAuth(auth: AuthConfig): string {
  const fields = Object.fromEntries(FIELDS.flatMap((name) => (auth[name] ? [[name, auth[name]]] : [])));
  const bytes = new TextEncoder().encode(stringifyJson(fields));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_');
}

/**
 * Read an `X-Registry-Auth` header, base64url or base64, padded or not. No credentials (undefined) in an empty one, in `{}`, and, as with Docker, in one
 * that can't be read: clients send the words `undefined` and `null` too.
 */
export function decodeRegistryAuth(header: string | undefined): AuthConfig | undefined {
  if (header === undefined || header === '') return undefined;
  try {
    const text = atob(header.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const auth = toAuthConfig(
      parseJson(new TextDecoder().decode(bytes), { maxLength: 1 << 16, maxDepth: 4 }),
    );
    return Object.keys(auth).length === 0 ? undefined : auth;
  } catch {
    return undefined;
  }
}

/**
 * The known, non-empty fields of a decoded JSON object, whose case is as loose as Go's.
 *
 * @throws EngineError "invalid" on anything but an object of strings.
 */
export function toAuthConfig(value: unknown): AuthConfig {
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new EngineError('invalid', 'invalid X-Registry-Auth header');
  const auth: AuthConfig = {};
  for (const [key, field] of Object.entries(value)) {
    const name = FIELDS.find((known) => known === key.toLowerCase());
    if (name === undefined || field === '' || field === null) continue;
    if (typeof field !== 'string') throw new EngineError('invalid', 'invalid X-Registry-Auth header');
    auth[name] = field;
  }
  return auth;
}
