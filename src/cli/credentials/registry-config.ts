import type { AuthConfig } from '../../wire/registry-auth.ts';
import { readConfigFile } from '../config-file.ts';
import type { CliContext } from '../context.ts';
import { credentialStoreFor, HUB_SERVER } from './credential-store.ts';

/** `X-Registry-Config`: every login that is kept, for a build's base images. Undefined without any. A failing helper counts as no login. */
export async function registryConfig(context: CliContext): Promise<string | undefined> {
  const { auths, credHelpers, credsStore } = await readConfigFile(context);
  const servers = new Set([...Object.keys(auths ?? {}), ...Object.keys(credHelpers ?? {})]);
  if (credsStore !== undefined) servers.add(HUB_SERVER);
  const logins: Record<string, AuthConfig> = {};
  for (const server of servers) {
    const login = await credentialStoreFor(context, server)
      .then((store) => store.get(server))
      .catch((): AuthConfig => ({}));
    if (Object.keys(login).length > 0) logins[server] = login;
  }
  if (Object.keys(logins).length === 0) return undefined;
  return Buffer.from(JSON.stringify(logins)).toString('base64url');
}
