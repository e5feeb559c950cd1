import { isAbsolute } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { type RunResult, run } from '../../sys/spawn.ts';
import type { AuthConfig } from '../../wire/registry-auth.ts';
import { parseSecretJson } from '../config-file.ts';
import type { CliContext } from '../context.ts';
import type { CredentialStore } from './credential-store.ts';

/** Stands for the user's name where the secret is an identity token. */
const TOKEN_USER = '<token>';
const NOT_FOUND = 'credentials not found in native keychain';
/** Answers that say more than the exit code does. */
const TELLING = ['no credentials server URL', 'no credentials username'];

/**
 * Logins with a `docker-credential-<helper>` program: `get`, `store` and `erase` read stdin and answer on stdout.
 * `config.json` remembers only that there is a login.
 */
export class HelperCredentialStore implements CredentialStore {
  readonly #context: CliContext;
  readonly #program: string;
  readonly #file: CredentialStore;

  constructor(context: CliContext, { helper, file }: { helper: string; file: CredentialStore }) {
    this.#context = context;
    this.#program = `docker-credential-${helper}`;
    this.#file = file;
  }

  async get(server: string): Promise<AuthConfig> {
    const remembered = await this.#file.get(server);
    const result = await this.#call('get', server);
    if (result.exitCode !== 0) {
      if (result.stdout.trim() === NOT_FOUND) return remembered;
      throw failure('getting', result);
    }
    const { Username, Secret } = decodeAnswer(result.stdout);
    const { username: _, password: __, identitytoken: ___, ...others } = remembered;
    const secret =
      Username === TOKEN_USER ? { identitytoken: Secret } : { username: Username, password: Secret };
    return { ...secret, ...others, serveraddress: server };
  }

  async store(login: AuthConfig): Promise<void> {
    const { username = '', password = '', identitytoken, ...others } = login;
    const [Username, Secret] = identitytoken ? [TOKEN_USER, identitytoken] : [username, password];
    const request = JSON.stringify({ ServerURL: login.serveraddress ?? '', Username, Secret });
    const result = await this.#call('store', `${request}\n`);
    if (result.exitCode !== 0) throw failure('storing', result);
    await this.#file.store(others);
  }

  async erase(server: string): Promise<void> {
    const result = await this.#call('erase', server);
    if (result.exitCode !== 0) throw failure('erasing', result);
    await this.#file.erase(server);
  }

  /** What the helper says on stderr is the user's to read. */
  async #call(action: 'get' | 'store' | 'erase', stdin: string): Promise<RunResult> {
    const env = definedOnly(this.#context.env);
    const { PATH = '' } = env;
    // What lies in the folder that the user happens to be in is anybody's: never run, as Go never does.
    const folders = PATH.split(':').filter(isAbsolute).join(':');
    const path = Bun.which(this.#program, { PATH: folders });
    if (path === null) {
      const why =
        Bun.which(this.#program, { PATH }) === null
          ? 'executable file not found in $PATH'
          : 'cannot run executable found relative to current directory';
      return { exitCode: 127, stdout: '', stderr: `exec: ${JSON.stringify(this.#program)}: ${why}` };
    }
    const result = await run([path, action], { stdin, env });
    await this.#context.stderr.write(result.stderr);
    return { ...result, stderr: '' };
  }
}

function definedOnly(env: CliContext['env']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function failure(doing: string, { exitCode, stdout, stderr }: RunResult): EngineError {
  const answer = stdout.trim();
  const status = exitCode > 128 ? `signal ${exitCode - 128}` : `exit status ${exitCode}`;
  const reason = TELLING.includes(answer) ? answer : stderr || status;
  return new EngineError('internal', `error ${doing} credentials - err: ${reason}, out: \`${answer}\``);
}

/** @throws EngineError "invalid", never with a word of the answer. */
function decodeAnswer(text: string): { Username: string; Secret: string } {
  const { Username = '', Secret = '' } = Object(readJson(text)) as Record<string, unknown>;
  if (typeof Username !== 'string' || typeof Secret !== 'string')
    throw new EngineError('invalid', "The credential helper's answer has no Username and Secret");
  return { Username, Secret };
}

function readJson(text: string): unknown {
  try {
    return parseSecretJson(text);
  } catch {
    throw new EngineError('invalid', "The credential helper's answer is no JSON");
  }
}
