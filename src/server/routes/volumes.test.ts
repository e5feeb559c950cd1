import { afterAll, beforeAll, expect, test } from 'bun:test';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
const [free, used, named] = ['aa'.repeat(32), 'bb'.repeat(32), 'data'];
beforeAll(async () => {
  server = await startTestServer();
  const volume = (name: string, anonymous: boolean, users: string[] = []) => ({
    name,
    path: `/v/${name}/_data`,
    createdNano: 1_795_649_557_123_456_789n,
    anonymous,
    labels: undefined,
    options: undefined,
    owner: undefined,
    mode: undefined,
    users,
  });
  server.engine.volumeViews.push(volume(free, true), volume(used, true, ['c1']), volume(named, false));
});
afterAll(() => server.stop());

const answer = async (path: string, method = 'GET') => {
  const response = await server.request(path, { method });
  return [response.status, await response.json()];
};
const withFilters = (path: string, filters: Record<string, string[]>) =>
  `${path}?filters=${encodeURIComponent(JSON.stringify(filters))}`;
const listed = async (filters: Record<string, string[]>) => {
  const response = await server.request(withFilters('/volumes', filters));
  const { Volumes } = (await response.json()) as { Volumes: { Name: string }[] };
  return Volumes.map(({ Name }) => Name);
};

test('list and inspect have the shape of Docker 28.5', async () => {
  const inspected = {
    CreatedAt: '2026-11-25T23:32:37Z',
    Driver: 'local',
    Labels: { 'com.docker.volume.anonymous': '' },
    Mountpoint: `/v/${free}/_data`,
    Name: free,
    Options: null,
    Scope: 'local',
  };
  expect(await answer(`/volumes/${free}`)).toEqual([200, inspected]);
  expect(await answer(withFilters('/volumes', { name: ['aaa'] }))).toEqual([
    200,
    { Volumes: [inspected], Warnings: null },
  ]);
  expect(await answer(`/volumes/${named}`)).toMatchObject([200, { Labels: null }]);
  expect(await answer('/volumes/x')).toEqual([404, { message: 'get x: no such volume' }]);
});

test.each([
  [{ dangling: ['true'] }, [free, named]],
  [{ dangling: ['0'] }, [used]],
  [{ driver: ['loc'] }, []],
  [{ driver: ['local'], name: ['dat', 'bbb'] }, [used, named]],
  [{ label: ['com.docker.volume.anonymous'] }, [free, used]],
  [{ label: ['com.docker.volume.anonymous', 'x'] }, []],
])('filters %j', async (filters, names) => {
  expect(await listed(filters as Record<string, string[]>)).toEqual(names);
});

test.each([
  ['/volumes', { foo: ['x'] }, "invalid filter 'foo'"],
  ['/volumes', { dangling: ['maybe'] }, "invalid filter 'dangling=[maybe]'"],
  ['/volumes/prune', { foo: ['x'] }, "invalid filter 'foo'"],
  [
    '/volumes/prune',
    { all: ['zz'] },
    `invalid filter 'all': strconv.ParseBool: parsing "zz": invalid syntax`,
  ],
])('%s refuses %j as Docker does', async (path, filters, message) => {
  const method = path.endsWith('prune') ? 'POST' : 'GET';
  expect(await answer(withFilters(path, filters), method)).toEqual([400, { message }]);
});

test.each([
  ['/v1.51', {}, [free, used]],
  ['/v1.51', { all: ['1'] }, [free, used, named]],
  ['/v1.41', {}, [free, used, named]],
  ['/v1.51', { 'label!': ['com.docker.volume.anonymous'], all: ['true'] }, [named]],
])('prune by %s with %j is about %j', async (version, filters, deleted) => {
  expect(await answer(withFilters(`${version}/volumes/prune`, filters), 'POST')).toEqual([
    200,
    { VolumesDeleted: deleted, SpaceReclaimed: 5 },
  ]);
});

test('system df counts them as Docker 28.5 does', async () => {
  const [status, usage] = await answer('/v1.51/system/df?type=volume');
  const { Volumes } = usage as { Volumes: object[] };
  expect([status, Volumes.length]).toEqual([200, 3]);
  expect(Volumes[1]).toMatchObject({ Name: used, UsageData: { RefCount: 1, Size: 7 } });
});

test('remove says whether it is forced', async () => {
  const response = await server.request(`/volumes/${free}?force=1`, { method: 'DELETE' });
  expect(response.status).toBe(204);
  expect(server.engine.calls).toContainEqual(['volume remove', free, { force: true }]);
});

const sent = async (path: string, body: unknown) => {
  const headers = { 'content-type': 'application/json' };
  const response = await server.request(path, { method: 'POST', body: JSON.stringify(body), headers });
  return [response.status, await response.json()];
};

test('create: what was asked for, and the answer of Docker 28.5', async () => {
  const asked = {
    Name: 'made',
    Driver: 'local',
    DriverOpts: { type: 'tmpfs', device: 'tmpfs' },
    Labels: { b: 'c', a: '' },
  };
  expect(await sent('/volumes/create', { ...asked, Owner: '5:6', Mode: '0750' })).toEqual([
    201,
    {
      CreatedAt: '2026-11-25T23:32:37Z',
      Driver: 'local',
      Labels: { a: '', b: 'c' },
      Mountpoint: '/v/made/_data',
      Name: 'made',
      Options: { device: 'tmpfs', type: 'tmpfs' },
      Scope: 'local',
      Status: { Owner: '5:6', Mode: '0750' },
    },
  ]);
  expect(await sent('/volumes/create', { Name: 5 })).toEqual([
    400,
    {
      message:
        'invalid JSON: json: cannot unmarshal number into Go struct field CreateOptions.Name of type string',
    },
  ]);
  expect(await sent('/volumes/create', { Name: 'c', ClusterVolumeSpec: {} })).toMatchObject([503, {}]);
  for (const wrong of [{ Owner: 'root' }, { Owner: '1:2:3' }, { Mode: '800' }, { Mode: '07777777' }])
    expect(await sent('/volumes/create', { Name: 'd', ...wrong }), JSON.stringify(wrong)).toMatchObject([
      400,
      {},
    ]);
});

test('export, import and clone', async () => {
  expect(await (await server.request('/volumes/data/export')).text()).toBe('content of data');
  const imported = await server.request('/volumes/new/import?label=a=b&label=c&owner=7', {
    method: 'POST',
    body: 'tar',
  });
  expect(imported.status).toBe(201);
  expect(await sent('/volumes/data/clone', { Name: 'copy', Labels: {} })).toMatchObject([
    201,
    { Name: 'copy' },
  ]);
  expect(server.engine.calls.slice(-2)).toEqual([
    ['volume import of tar', { name: 'new', labels: { a: 'b', c: '' }, owner: { uid: 7, gid: 7 } }],
    ['volume clone of data', { name: 'copy', labels: {} }],
  ]);
});
