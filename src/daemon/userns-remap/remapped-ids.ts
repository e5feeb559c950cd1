import { readFile } from 'node:fs/promises';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { IdMap, IdRange } from '../../sys/id-map.ts';
import { makeRemapUser, REMAP_USER } from './remap-user.ts';
import { parseSubIds, subIdMap } from './sub-ids.ts';
import { hostUsers, type NamedId, type UserDatabase } from './user-database.ts';

export const SUBUID = '/etc/subuid';
export const SUBGID = '/etc/subgid';

export interface RemapHost {
  users: UserDatabase;
  /** '' for a file that is not there. */
  read: (path: string) => Promise<string>;
  /** Make the user of `default`, with ids of its own, where it is missing. */
  makeDefault: () => Promise<void>;
}

export const remapHost: RemapHost = {
  users: hostUsers,
  read: (path) => readFile(path, 'utf8').catch(() => ''),
  makeDefault: makeRemapUser,
};

/**
 * What the setting `userns-remap` says: `default`, or `user[:group]` by names or numbers. Undefined: containers have the host's ids.
 *
 * @throws EngineError "invalid" in dockerd's words for whom there is not, or who has no ids to give.
 */
export async function remappedIds(
  setting: string,
  logger: Logger,
  host: RemapHost = remapHost,
): Promise<IdMap | undefined> {
  if (setting === '') return undefined;
  const user = await remappedUser(setting, host);
  if (user.name === 'root') {
    logger.warn('User namespaces: root cannot be remapped with itself; user namespaces are OFF');
    return undefined;
  }
  logger.info('User namespaces: ID ranges will be mapped to subuid/subgid ranges', { user: user.name });
  return {
    uids: await rangesOf(user, { kind: 'subuid', path: SUBUID, host }),
    // By the user, as dockerd does: the group is only looked up.
    gids: await rangesOf(user, { kind: 'subgid', path: SUBGID, host }),
  };
}

async function remappedUser(setting: string, host: RemapHost): Promise<NamedId> {
  const [userPart = '', groupPart, ...more] = setting.split(':');
  if (more.length > 0)
    throw invalid(`Invalid user/group specification in --userns-remap: ${JSON.stringify(setting)}`);
  if (userPart === 'default') await made(host);
  const name = userPart === 'default' ? REMAP_USER : userPart;
  const user = await asked(host.users.user(name), (reason) =>
    isNumber(name)
      ? `Uid ${name} has no entry in /etc/passwd: ${reason}`
      : `Error during uid lookup for ${JSON.stringify(name)}: ${reason}`,
  );
  const group = groupPart ?? name;
  await asked(host.users.group(group), (reason) => {
    if (!isNumber(group))
      return `Error during ${groupPart === undefined ? 'gid' : 'groupname'} lookup for ${JSON.stringify(group)}: ${reason}`;
    return `Gid ${group} has no entry in ${groupPart === undefined ? '/etc/group' : '/etc/passwd'}: ${reason}`;
  });
  return user;
}

async function made(host: RemapHost): Promise<void> {
  try {
    await host.makeDefault();
  } catch (error) {
    throw invalid(`Error during ${JSON.stringify(REMAP_USER)} user creation: ${messageOf(error)}`, error);
  }
}

async function rangesOf(
  user: NamedId,
  { kind, path, host }: { kind: 'subuid' | 'subgid'; path: string; host: RemapHost },
): Promise<IdRange[]> {
  try {
    const ids = parseSubIds(await host.read(path), path);
    const ranges = subIdMap(ids, { uid: user.id, name: user.name }, path);
    if (ranges !== undefined) return ranges;
    throw invalid(`no ${kind} ranges found for user ${JSON.stringify(user.name)}`);
  } catch (error) {
    throw invalid(`Can't create ID mappings: ${messageOf(error)}`, error);
  }
}

async function asked(look: Promise<NamedId>, say: (reason: string) => string): Promise<NamedId> {
  try {
    return await look;
  } catch (error) {
    throw invalid(say(messageOf(error)), error);
  }
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) < 2 ** 31;
}

function invalid(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid', message, cause === undefined ? {} : { cause });
}
