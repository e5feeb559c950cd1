import { expect, test } from 'bun:test';
import { EngineError } from '../../errors/engine-error.ts';
import { silentLogger } from '../../errors/logger.ts';
import { type RemapHost, remappedIds } from './remapped-ids.ts';
import type { NamedId } from './user-database.ts';

interface FakeHost extends RemapHost {
  made: number;
}

function fakeHost(subuid: string, subgid = subuid): FakeHost {
  const users = new Map([
    ['ann', 1000],
    ['root', 0],
  ]);
  const groups = new Map([
    ['ann', 1000],
    ['staff', 50],
    ['root', 0],
  ]);
  const find = async (entries: Map<string, number>, wanted: string, database: string): Promise<NamedId> => {
    const found = [...entries].find(([name, id]) => wanted === name || wanted === String(id));
    if (found === undefined)
      throw new EngineError('not-found', `getent unable to find entry "${wanted}" in ${database} database`);
    return { name: found[0], id: found[1] };
  };
  const host: FakeHost = {
    made: 0,
    users: {
      user: (wanted) => find(users, wanted, 'passwd'),
      group: (wanted) => find(groups, wanted, 'group'),
    },
    read: async (path) => (path === '/etc/subuid' ? subuid : subgid),
    makeDefault: async () => {
      host.made++;
      users.set('dockremap', 999);
      groups.set('dockremap', 999);
    },
  };
  return host;
}

const ids = (setting: string, host: RemapHost) => remappedIds(setting, silentLogger, host);
const failure = (setting: string, host: RemapHost) =>
  ids(setting, host).then(
    () => 'it is taken',
    (error: Error) => error.message,
  );

test.each(['ann', '1000', 'ann:staff', '1000:50', 'ann:50'])('%s is ann', async (setting) => {
  const map = await ids(setting, fakeHost('ann:100000:65536\n', 'ann:200000:65536\nstaff:1:1\n'));
  expect(map).toEqual({
    uids: [{ containerId: 0, hostId: 100_000, size: 65_536 }],
    gids: [{ containerId: 0, hostId: 200_000, size: 65_536 }],
  });
});

test('nothing, and root, leave the host’s ids', async () => {
  expect(await ids('', fakeHost(''))).toBeUndefined();
  expect(await ids('root', fakeHost(''))).toBeUndefined();
});

test('default is dockremap, made where it is missing', async () => {
  const host = fakeHost('dockremap:100000:65536\n');
  expect((await ids('default', host))?.uids[0]?.hostId).toBe(100_000);
  expect(host.made).toBe(1);
  await ids('ann', fakeHost('ann:1:1'));
  const broken = { ...host, makeDefault: () => Promise.reject(new Error('useradd: no')) };
  expect(await failure('default', broken)).toBe('Error during "dockremap" user creation: useradd: no');
});

test.each([
  ['eve', 'Error during uid lookup for "eve": getent unable to find entry "eve" in passwd database'],
  ['7', 'Uid 7 has no entry in /etc/passwd: getent unable to find entry "7" in passwd database'],
  ['ann:eve', 'Error during groupname lookup for "eve": getent unable to find entry "eve" in group database'],
  ['ann:7', 'Gid 7 has no entry in /etc/passwd: getent unable to find entry "7" in group database'],
  ['a:b:c', 'Invalid user/group specification in --userns-remap: "a:b:c"'],
  ['ann', 'Can\'t create ID mappings: no subuid ranges found for user "ann"'],
])('%s fails as with dockerd', async (setting, message) => {
  expect(await failure(setting, fakeHost(''))).toBe(message);
});

test('both files must have ranges', async () => {
  expect(await failure('ann', fakeHost('ann:1:1', ''))).toBe(
    'Can\'t create ID mappings: no subgid ranges found for user "ann"',
  );
});
