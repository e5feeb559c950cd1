import type { AuthConfig } from '../../wire/registry-auth.ts';
import { changeConfig } from '../change-config.ts';
import { type ConfigFile, configPath, type StoredLogin, splitAuth } from '../config-file.ts';
import type { CliContext } from '../context.ts';
import { removeMember, setMember } from './config-text.ts';
import { type CredentialStore, hostOf } from './credential-store.ts';

/** Logins in `config.json`, in plain text as Docker keeps them. Only what changes is written anew. */
export class FileCredentialStore implements CredentialStore {
  readonly #context: CliContext;
  readonly #config: ConfigFile;
  readonly #helper: string | undefined;

  /** `helper`: written down as `credsStore` with the next change, once it was found by itself. */
  constructor(context: CliContext, { config, helper }: { config: ConfigFile; helper: string | undefined }) {
    this.#context = context;
    this.#config = config;
    this.#helper = helper;
  }

  async get(server: string): Promise<AuthConfig> {
    const { auths = {} } = this.#config;
    // Before 1.10 whole addresses were keys.
    const key = Object.hasOwn(auths, server)
      ? server
      : Object.keys(auths).find((each) => hostOf(each) === server);
    return key === undefined ? {} : decodeLogin(auths[key] ?? {}, key);
  }

  async store(login: AuthConfig): Promise<void> {
    const server = login.serveraddress ?? '';
    if (this.#holds(server, login)) return;
    const path = configPath(this.#context);
    await this.#change((text) => setMember(text, ['auths', server], encodeLogin(login)));
    if (login.password)
      await this.#context.stderr.write(
        `\nWARNING! Your credentials are stored unencrypted in '${path}'.\n` +
          'Configure a credential helper to remove this warning. See\n' +
          'https://docs.docker.com/go/credential-store/\n\n',
      );
  }

  #holds(server: string, login: AuthConfig): boolean {
    const { auths = {} } = this.#config;
    const known = Object.hasOwn(auths, server) ? auths[server] : undefined;
    if (known === undefined) return false;
    return JSON.stringify(decodeLogin(known, server)) === JSON.stringify(ordered(login));
  }

  async erase(server: string): Promise<void> {
    const { auths = {} } = this.#config;
    if (!Object.hasOwn(auths, server)) return;
    await this.#change((text) => removeMember(text, ['auths', server]));
  }

  async #change(edit: (text: string) => string): Promise<void> {
    const helper = this.#helper;
    await changeConfig(this.#context, (before) => {
      const after = edit(before);
      return helper === undefined ? after : setMember(after, ['credsStore'], JSON.stringify(helper));
    });
  }
}

function decodeLogin({ auth, ...others }: StoredLogin, server: string): AuthConfig {
  const decoded = auth === undefined || auth === '' ? {} : splitAuth(auth);
  return ordered({ ...others, ...decoded, serveraddress: server });
}

const ORDER = ['username', 'password', 'email', 'serveraddress', 'identitytoken', 'registrytoken'] as const;

/** The fields that are not empty, in the order in which Go's struct has them. */
function ordered(login: AuthConfig): AuthConfig {
  const fields: AuthConfig = {};
  for (const name of ORDER) if (login[name]) fields[name] = login[name];
  return fields;
}

function encodeLogin({
  username = '',
  password = '',
  email,
  identitytoken,
  registrytoken,
}: AuthConfig): string {
  const auth =
    username === '' && password === ''
      ? undefined
      : Buffer.from(`${username}:${password}`).toString('base64');
  const fields = Object.entries({ auth, email, identitytoken, registrytoken }).filter(([, value]) => value);
  return JSON.stringify(Object.fromEntries(fields), null, '\t');
}
