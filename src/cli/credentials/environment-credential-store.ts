import { messageOf } from '../../errors/engine-error.ts';
import type { AuthConfig } from '../../wire/registry-auth.ts';
import { parseSecretJson, splitAuth } from '../config-file.ts';
import type { CliContext } from '../context.ts';
import type { CredentialStore } from './credential-store.ts';

/** Logins as JSON, `{"auths":{"host":{"auth":"<base64 of user:password>"}}}`; they go before all that is kept. */
export const AUTH_VARIABLE = 'DOCKER_AUTH_CONFIG';

/** Looks into the environment first; what is stored or erased, is so in the store behind it. */
export class EnvironmentCredentialStore implements CredentialStore {
  readonly #logins: ReadonlyMap<string, AuthConfig>;
  readonly #behind: CredentialStore;
  readonly #context: CliContext;

  constructor(context: CliContext, logins: ReadonlyMap<string, AuthConfig>, behind: CredentialStore) {
    this.#context = context;
    this.#logins = logins;
    this.#behind = behind;
  }

  async get(server: string): Promise<AuthConfig> {
    return this.#logins.get(server) ?? this.#behind.get(server);
  }

  store(login: AuthConfig): Promise<void> {
    return this.#behind.store(login);
  }

  async erase(server: string): Promise<void> {
    try {
      await this.#behind.erase(server);
    } catch (error) {
      await this.#context.stderr.write(`memorystore:  ${messageOf(error)}\n`);
    }
  }
}

/** `behind` with the environment's logins before it; `behind` alone, with a warning, when they can't be read. */
export async function withEnvironment(
  context: CliContext,
  text: string,
  behind: CredentialStore,
): Promise<CredentialStore> {
  try {
    return new EnvironmentCredentialStore(context, decodeLogins(text), behind);
  } catch (error) {
    await context.stderr.write(
      `Failed to create credential store from ${AUTH_VARIABLE}:  ${messageOf(error)}\n`,
    );
    return behind;
  }
}

function decodeLogins(text: string): Map<string, AuthConfig> {
  const { auths, ...others } = fieldsOf(parseSecretJson(text));
  refuseOthers(others);
  return new Map(
    Object.entries(fieldsOf(auths ?? {})).map(([server, login]) => {
      const { auth, ...more } = fieldsOf(login);
      refuseOthers(more);
      if (typeof auth !== 'string' || auth === '')
        throw new TypeError(`${AUTH_VARIABLE} environment variable is missing key \`auth\` for ${server}`);
      return [server, { ...splitAuth(auth), serveraddress: server }];
    }),
  );
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`${AUTH_VARIABLE} is no JSON object of objects`);
  return value as Record<string, unknown>;
}

function refuseOthers(fields: Record<string, unknown>): void {
  const [name] = Object.keys(fields);
  if (name !== undefined) throw new TypeError(`json: unknown field ${JSON.stringify(name)}`);
}
