import type { AuthConfig } from '../../wire/registry-auth.ts';
import { type ConfigFile, readConfigFile } from '../config-file.ts';
import type { CliContext } from '../context.ts';

/** Keeps the logins of registries. `server` is a host with or without port, or the hub's whole address. */
export interface CredentialStore {
  /** Empty when nothing is kept for `server`. */
  get(server: string): Promise<AuthConfig>;
  /** @throws EngineError when it can't be kept. */
  store(login: AuthConfig): Promise<void>;
  /** Does nothing when nothing is kept. */
  erase(server: string): Promise<void>;
}

/** The hub's name in `auths` and towards credential helpers. */
export const HUB_SERVER = 'https://index.docker.io/v1/';

/** Where the login of `server` is: the environment, a helper of its own, the helper of all, else `config.json`. */
export async function credentialStoreFor(context: CliContext, server: string): Promise<CredentialStore> {
  const config = await readConfigFile(context);
  const store = await keptStore(context, config, server);
  const environment = context.env.DOCKER_AUTH_CONFIG ?? '';
  if (environment === '') return store;
  const { withEnvironment } = await import('./environment-credential-store.ts');
  return withEnvironment(context, environment, store);
}

async function keptStore(context: CliContext, config: ConfigFile, server: string): Promise<CredentialStore> {
  const { FileCredentialStore } = await import('./file-credential-store.ts');
  const configured = helperOf(config, server);
  const found = configured === undefined && !hasLogins(config) ? platformHelper() : undefined;
  const helper = configured ?? found;
  const file = new FileCredentialStore(context, { config, helper: found });
  if (helper === undefined) return file;
  const { HelperCredentialStore } = await import('./helper-credential-store.ts');
  return new HelperCredentialStore(context, { helper, file });
}

function helperOf({ credHelpers, credsStore }: ConfigFile, server: string): string | undefined {
  const own = Object.hasOwn(credHelpers ?? {}, server) ? credHelpers?.[server] : undefined;
  return own || credsStore || undefined;
}

function hasLogins({ auths, credHelpers }: ConfigFile): boolean {
  return Object.keys(auths ?? {}).length > 0 || Object.keys(credHelpers ?? {}).length > 0;
}

/** Without any login or helper configured, the desktop's key ring is used where its helper is installed. */
function platformHelper(): string | undefined {
  const helper = Bun.which('pass') === null ? 'secretservice' : 'pass';
  return Bun.which(`docker-credential-${helper}`) === null ? undefined : helper;
}

/** A registry's address without scheme and path, as logins are known by. */
export function hostOf(address: string): string {
  if (address.includes('://')) {
    try {
      const { host } = new URL(address);
      if (host !== '') return host;
    } catch {
      // Then it is taken apart as text.
    }
  }
  return address.split('/', 1)[0] ?? '';
}
