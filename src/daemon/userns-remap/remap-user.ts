import { readFile } from 'node:fs/promises';
import { EngineError } from '../../errors/engine-error.ts';
import { runChecked } from '../../sys/spawn.ts';
import { freeRange, parseSubIds } from './sub-ids.ts';
import { hostUsers } from './user-database.ts';

/** Whose ids `userns-remap: default` gives to containers; a Docker on this host has the same. */
export const REMAP_USER = 'dockremap';

const FILES = [
  { path: '/etc/subuid', flag: '--add-subuids' },
  { path: '/etc/subgid', flag: '--add-subgids' },
];

/**
 * Have the user and group `dockremap`, each with a range of ids that nobody else has, by the system's own programs. What is there stays.
 *
 * @throws EngineError "internal" with a program's words.
 */
export async function makeRemapUser(): Promise<void> {
  if (!(await exists())) await addUser();
  for (const { path, flag } of FILES) {
    const ids = parseSubIds(await readFile(path, 'utf8').catch(() => ''), path);
    // useradd may have given it some.
    if (ids.some(({ user }) => user === REMAP_USER)) continue;
    const { first, last } = freeRange(ids);
    await runChecked(['usermod', flag, `${first}-${last}`, REMAP_USER]);
  }
}

async function exists(): Promise<boolean> {
  try {
    await hostUsers.user(REMAP_USER);
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'not-found') return false;
    throw error;
  }
}

/** A system account that nobody can log in to, with a group of its name. */
async function addUser(): Promise<void> {
  if (Bun.which('useradd') === null)
    throw new EngineError('internal', 'cannot add user; no useradd binary found', {
      hint: 'Install useradd (passwd), or name a user with ranges in /etc/subuid and /etc/subgid.',
    });
  const command = ['useradd', '--system', '--user-group', '--no-create-home', '--shell', '/bin/false'];
  await runChecked([...command, REMAP_USER]);
}
