import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kindOf } from '../../errors/engine-error.ts';
import type { BuildSession } from '../build-session.ts';
import { isGitUrl, parseGitReference } from './git-reference.ts';

/** With what a repository is asked for. */
export interface GitAccess {
  /** The header's value, for http and https. */
  authorization?: string | undefined;
  /** Socket of the ssh agent that may be asked. */
  agent?: string | undefined;
}

interface AccessContext {
  session: Pick<BuildSession, 'secret' | 'forwardAgent'>;
  /** Folders on tmpfs that the next daemon clears away. */
  paths: { tasks(id: string): string };
  signal: AbortSignal;
}

/** BuildKit's names of the secrets, those of one host first; whether it is a whole header. */
const SECRETS = [
  { name: 'GIT_AUTH_HEADER', isHeader: true },
  { name: 'GIT_AUTH_TOKEN', isHeader: false },
] as const;

/** What the client lends its build for a repository, while `use` runs: its secrets for git, its default SSH agent; nothing for other downloads. */
export async function withGitAccess<T>(
  url: string,
  context: AccessContext,
  use: (access: GitAccess) => Promise<T>,
): Promise<T> {
  if (!isGitUrl(url) && !url.startsWith('github.com/')) return await use({});
  const { remote } = parseGitReference(url);
  if (/^https?:\/\//i.test(remote))
    return await use({ authorization: await authorizationOf(remote, context) });
  if (!isSsh(remote)) return await use({});
  const folder = context.paths.tasks(randomBytes(32).toString('hex'));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    return await withAgent(join(folder, 'agent'), context, use);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withAgent<T>(
  socket: string,
  { session, signal }: AccessContext,
  use: (access: GitAccess) => Promise<T>,
): Promise<T> {
  let forwarded: { close(): Promise<void> };
  try {
    forwarded = await session.forwardAgent('default', socket, { signal });
  } catch (error) {
    if (kindOf(error) !== 'not-found') throw error;
    return await use({});
  }
  try {
    return await use({ agent: socket });
  } finally {
    await forwarded.close();
  }
}

async function authorizationOf(
  remote: string,
  { session, signal }: AccessContext,
): Promise<string | undefined> {
  if (!URL.canParse(remote)) return undefined;
  const { host } = new URL(remote);
  for (const suffix of [`.${host}`, ''])
    for (const { name, isHeader } of SECRETS) {
      const secret = await session.secret(name + suffix, { signal });
      if (secret === undefined) continue;
      const text = Buffer.from(secret).toString('utf8').trim();
      if (text === '' || /[\r\n\0]/.test(text)) continue;
      return isHeader ? text : `basic ${Buffer.from(`x-access-token:${text}`).toString('base64')}`;
    }
  return undefined;
}

function isSsh(remote: string): boolean {
  return /^ssh:\/\//i.test(remote) || /^[^/:@]+@[^/:]+:/.test(remote);
}
