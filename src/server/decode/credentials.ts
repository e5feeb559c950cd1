import type { RegistryCredentials } from '../../registry/client/registry-client.ts';
import { type AuthConfig, decodeRegistryAuth } from '../../wire/registry-auth.ts';
import { type ApiRequest, boolParam, textParam } from '../api-request.ts';

/** Docker's AuthConfig as credentials; `auth` (base64 of `user:password`) counts where the two are not given. */
export function credentialsOf(auth: AuthConfig): RegistryCredentials {
  const [username, password] =
    auth.username === undefined ? basicAuth(auth.auth) : [auth.username, auth.password];
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(auth.identitytoken === undefined ? {} : { identityToken: auth.identitytoken }),
    ...(auth.registrytoken === undefined ? {} : { registryToken: auth.registrytoken }),
    ...(auth.serveraddress === undefined ? {} : { serverAddress: auth.serveraddress }),
  };
}

function basicAuth(auth: string | undefined): [string | undefined, string | undefined] {
  const text = Buffer.from(auth ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon <= 0 ? [undefined, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** What `X-Registry-Auth`, or the header that is named, says; undefined where it says nothing. */
export function registryCredentials(
  request: ApiRequest,
  name = 'x-registry-auth',
): RegistryCredentials | undefined {
  const header = request.headers[name];
  const auth = decodeRegistryAuth(Array.isArray(header) ? header[0] : header);
  return auth === undefined ? undefined : credentialsOf(auth);
}

/** How a call may reach its registry: by credentials, and whether any certificate will do. */
export function registryAccess(request: ApiRequest): {
  credentials: RegistryCredentials | undefined;
  tlsVerify: boolean | undefined;
} {
  return { credentials: registryCredentials(request), tlsVerify: tlsVerifyParam(request) };
}

/** False where a call says so: for its registry, and for this call alone. */
export function tlsVerifyParam(request: ApiRequest): false | undefined {
  return textParam(request, 'tlsVerify') === undefined || boolParam(request, 'tlsVerify') ? undefined : false;
}
