import { ApiError } from '../../../client/api-error.ts';
import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import type { AuthConfig } from '../../../wire/registry-auth.ts';
import { describeError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import type { Invocation } from '../../context.ts';
import { askLogin } from '../../credentials/ask-login.ts';
import { credentialStoreFor, HUB_SERVER, hostOf } from '../../credentials/credential-store.ts';
import { warnOfEnvironment } from '../../credentials/warn-of-environment.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { TLS_VERIFY_FLAG } from '../../flags/tls-verify-flag.ts';
import { printNote } from '../../output/note.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVER]',
  long: 'Log in to a registry, by default to the Docker Hub.',
  flags: [
    { name: 'password', short: 'p', kind: 'string', usage: 'Password or personal access token' },
    { name: 'password-stdin', kind: 'bool', usage: 'Read the password from STDIN' },
    TLS_VERIFY_FLAG,
    { name: 'username', short: 'u', kind: 'string', usage: 'Name of the user' },
  ],
  args: { min: 0, max: 1 },
  examples: ['login registry.example.com', 'login -u me --password-stdin registry.example.com < token'],
  async run(invocation) {
    const { context, flags, args } = invocation;
    checkFlags(flags);
    const username = flags.string('username');
    const password = await passwordOf(invocation);
    await warnOfEnvironment(context);
    const [address = ''] = args;
    const server = address === '' || address === 'docker.io' ? HUB_SERVER : hostOfServer(address);
    const stored = username === '' && password === '' ? await storedLogin(invocation, server) : {};
    let status: string | undefined;
    if (stored.username && stored.password) status = await tryStored(invocation, stored);
    status ??= await tryNew(invocation, {
      server,
      username,
      password,
      lastUsername: stored.username ?? '',
    });
    if (status !== '') await context.stdout.write(`${status}\n`);
    return 0;
  },
};

function checkFlags(flags: ParsedFlags): void {
  const refuse = (message: string) => new EngineError('invalid', message);
  if (flags.changed('password-stdin')) {
    if (flags.changed('password'))
      throw refuse('conflicting options: cannot specify both --password and --password-stdin');
    if (!flags.changed('username')) throw refuse('the --password-stdin option requires --username to be set');
  }
  for (const name of ['username', 'password'])
    if (flags.changed(name) && flags.string(name) === '') throw refuse(`${name} is empty`);
}

async function passwordOf({ context, flags }: Invocation): Promise<string> {
  const password = flags.string('password');
  if (password !== '')
    await context.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
  if (!flags.bool('password-stdin')) return password;
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of context.stdin.chunks()) text += decoder.decode(chunk, { stream: true });
  return text.replace(/\n$/, '').replace(/\r$/, '');
}

function hostOfServer(address: string): string {
  return address === HUB_SERVER ? address : hostOf(address);
}

/** A failing helper counts as no login. */
async function storedLogin({ context }: Invocation, server: string): Promise<AuthConfig> {
  try {
    const { identitytoken: _, ...login } = await (await credentialStoreFor(context, server)).get(server);
    return { ...login, serveraddress: server };
  } catch {
    return {};
  }
}

/** @returns what the registry said; undefined when it refused. */
async function tryStored(invocation: Invocation, login: AuthConfig): Promise<string | undefined> {
  const { stderr } = invocation.context;
  await stderr.write(`Authenticating with existing credentials... [Username: ${login.username}]\n`);
  await printNote(
    stderr,
    "To login with a different account, run 'docker logout' followed by 'docker login'",
  );
  await stderr.write('\n\n');
  try {
    return await logIn(invocation, login);
  } catch (error) {
    if (error instanceof EngineError && !(error instanceof ApiError)) throw error;
    const expired = error instanceof ApiError && error.status === 401;
    await stderr.write(
      expired
        ? 'Stored credentials invalid or expired\n'
        : `Login did not succeed, error: ${describeError(error)}\n`,
    );
    return undefined;
  }
}

async function tryNew(invocation: Invocation, known: Parameters<typeof askLogin>[1]): Promise<string> {
  const { context } = invocation;
  if ((known.username === '' || known.password === '') && !context.stdin.isTerminal)
    throw new EngineError('invalid', 'Error: Cannot perform an interactive login from a non TTY device');
  return logIn(invocation, { ...(await askLogin(context, known)), serveraddress: known.server });
}

/** Let the daemon try the login, and keep it. A token that the registry gives takes the password's place. */
async function logIn({ context, client, flags }: Invocation, login: AuthConfig): Promise<string> {
  const { Status, IdentityToken } = await client.system.login(login, {
    tlsVerify: flags.bool('tls-verify'),
  });
  const { password: _, ...others } = login;
  const kept = IdentityToken ? { ...others, identitytoken: IdentityToken } : login;
  try {
    await (await credentialStoreFor(context, login.serveraddress ?? '')).store(kept);
  } catch (error) {
    throw new EngineError('internal', `Error saving credentials: ${messageOf(error)}`, { cause: error });
  }
  return Status;
}
