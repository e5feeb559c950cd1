import { type AuthConfig, encodeRegistryAuth } from '../../wire/registry-auth.ts';
import type { CliContext } from '../context.ts';
import { credentialStoreFor, HUB_SERVER } from './credential-store.ts';

/** The key of a registry's login; `domain` as in front of an image name. */
export function serverOf(domain: string): string {
  return domain === 'docker.io' || domain === 'index.docker.io' ? HUB_SERVER : domain;
}

/**
 * `X-Registry-Auth` for a registry, `{}` where no login is kept.
 *
 * @throws EngineError when the credential helper fails.
 */
export async function registryAuth(context: CliContext, domain: string): Promise<string> {
  return encodeRegistryAuth(await storedLogin(context, domain));
}

/** As `registryAuth`, but a failing helper counts as no login, where Docker ignores it. */
export async function registryAuthIfAny(context: CliContext, domain: string): Promise<string> {
  return encodeRegistryAuth(await storedLogin(context, domain).catch((): AuthConfig => ({})));
}

async function storedLogin(context: CliContext, domain: string): Promise<AuthConfig> {
  const server = serverOf(domain);
  return (await credentialStoreFor(context, server)).get(server);
}
