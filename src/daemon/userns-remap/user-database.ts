import { readFile } from 'node:fs/promises';
import { EngineError } from '../../errors/engine-error.ts';
import { run } from '../../sys/spawn.ts';

/** An entry of passwd(5) or group(5). */
export interface NamedId {
  name: string;
  id: number;
}

/** The host's users and groups: the files first, then whatever else it is set up to ask (getent(1)), as dockerd does. */
export interface UserDatabase {
  user(nameOrId: string): Promise<NamedId>;
  group(nameOrId: string): Promise<NamedId>;
}

/** @throws EngineError "not-found" in dockerd's words. */
export const hostUsers: UserDatabase = {
  user: (nameOrId) => lookUp('passwd', nameOrId),
  group: (nameOrId) => lookUp('group', nameOrId),
};

async function lookUp(database: 'passwd' | 'group', nameOrId: string): Promise<NamedId> {
  const local = find(await readFile(`/etc/${database}`, 'utf8').catch(() => ''), nameOrId);
  if (local !== undefined) return local;
  const { exitCode, stdout } = await run(['getent', database, '--', nameOrId]);
  const found = exitCode === 0 ? find(stdout, nameOrId) : undefined;
  if (found !== undefined) return found;
  throw new EngineError(
    'not-found',
    `getent unable to find entry ${JSON.stringify(nameOrId)} in ${database} database`,
  );
}

/** Both files have the name first and the id third. */
function find(text: string, nameOrId: string): NamedId | undefined {
  for (const line of text.split('\n')) {
    const [name = '', , id = ''] = line.split(':');
    if (/^\d+$/.test(id) && (name === nameOrId || id === nameOrId)) return { name, id: Number(id) };
  }
  return undefined;
}
