import { EngineError } from '../../errors/engine-error.ts';
import { parseBool } from '../../text/parse-bool.ts';
import type { CliContext } from '../context.ts';
import { printNote } from '../output/note.ts';
import { STYLES, styled } from '../output/styles.ts';
import { Prompt } from '../terminal/prompt.ts';
import { HUB_SERVER } from './credential-store.ts';

export interface KnownLogin {
  server: string;
  /** Empty: ask. */
  username: string;
  password: string;
  /** What an empty answer stands for. */
  lastUsername: string;
}

/** Ask for what is missing of a login; the password is not shown. @throws EngineError "invalid" when it stays empty. */
export async function askLogin(
  context: CliContext,
  { server, username, password, lastUsername }: KnownLogin,
): Promise<{ username: string; password: string }> {
  const prompt = new Prompt(context);
  const hub = server === HUB_SERVER;
  let name = username.trim();
  if (name === '') {
    if (hub) await tellOfHub(context);
    const last = lastUsername.trim();
    name = (await prompt.ask(last === '' ? 'Username: ' : `Username (${last}): `)).trim() || last;
    if (name === '') throw new EngineError('invalid', 'Error: Non-null Username Required');
  }
  let secret = password.trim();
  if (secret === '') {
    if (hub) await printNote(context.stderr, tokenNote());
    secret = (await prompt.ask('Password: ', { hidden: true })).trim();
    await context.stdout.write('\n');
    if (secret === '') throw new EngineError('invalid', 'Error: Password Required');
  }
  return { username: name, password: secret };
}

async function tellOfHub({ stdout, env }: CliContext): Promise<void> {
  await stdout.write(
    "Log in with your Docker ID or email address to push and pull images from Docker Hub. If you don't have a Docker ID, " +
      'head over to https://hub.docker.com/ to create one.\n',
  );
  const hints = env.DOCKER_CLI_HINTS ?? '';
  if (parseBool(hints) === false) return;
  await stdout.write(
    'You can log in with your password or a Personal Access Token (PAT). Using a limited-scope PAT grants better security ' +
      'and is required for organizations using SSO. Learn more at https://docs.docker.com/go/access-tokens/\n\n',
  );
}

function tokenNote(): string {
  return `A Personal Access Token (PAT) can be used instead.\nTo create a PAT, visit ${styled(STYLES.underline, 'https://app.docker.com/settings')}\n\n`;
}
