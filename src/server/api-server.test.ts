import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { NetworkMember } from '../containers/networking/network-backend.ts';
import type { ContainerChange } from '../containers/update/container-update.ts';
import { EngineError } from '../errors/engine-error.ts';
import { encodeRegistryAuth } from '../wire/registry-auth.ts';
import { head } from './testing/raw-client.ts';
import { eventually, startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const json = (value: unknown) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: typeof value === 'string' ? value : JSON.stringify(value),
});
const message = async (response: Response) => ((await response.json()) as { message: string }).message;

test('_ping tells version, OS and builder, by GET and by HEAD', async () => {
  for (const method of ['GET', 'HEAD']) {
    const response = await server.request('/_ping', { method });
    expect(response.status).toBe(200);
    expect(response.headers.get('api-version')).toBe('1.51');
    expect(response.headers.get('ostype')).toBe('linux');
    expect(response.headers.get('docker-experimental')).toBe('false');
    expect(response.headers.get('server')).toBe('Sampan/0.1.0 (linux)');
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe(method === 'GET' ? 'OK' : '');
  }
});

test('versions from 1.24 to 1.51 are served, others refused in the words of Docker', async () => {
  expect((await server.request('/v1.24/version')).status).toBe(200);
  expect((await server.request('/v1.51/version')).status).toBe(200);
  const old = await server.request('/v1.23/info');
  expect([old.status, await old.text()]).toEqual([
    400,
    'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n',
  ]);
  const future = await server.request('/v1.60/info');
  expect([future.status, await message(future)]).toEqual([
    400,
    'client version 1.60 is too new. Maximum supported API version is 1.51',
  ]);
});

test('a path that leads elsewhere than it says is redirected, as by dockerd, and never served', async () => {
  for (const [path, location] of [
    ['/containers/../_ping', '/_ping'],
    ['/containers/%2e%2e/_ping?a=b%20c', '/_ping?a=b%20c'],
    ['//_ping', '/_ping'],
    ['//evil/_ping', '/evil/_ping'],
    ['/v1.51/containers/./json', '/v1.51/containers/json'],
    ['http://engine/containers/../_ping', '/_ping'],
  ] as const)
    for (const method of ['GET', 'POST']) {
      const answer = await answerTo(`${method} ${path} HTTP/1.1`);
      expect(answer, path).toStartWith('HTTP/1.1 301 ');
      expect(answer, path).toContain(`\r\nLocation: ${location}\r\n`);
    }
  expect(await answerTo('GET /containers\\..\\_ping HTTP/1.1')).toStartWith('HTTP/1.1 404 ');
});

/** What comes for a request as it is, which `fetch` would clean first. */
async function answerTo(requestLine: string): Promise<string> {
  const client = await server.connect();
  client.send(`${requestLine}\r\nHost: engine\r\n\r\n`);
  const answer = await client.until('\r\n\r\n');
  client.socket.destroy();
  return answer;
}

test('an unknown page is not found, whatever its method', async () => {
  for (const [method, path] of [
    ['GET', '/v1.51/nope'],
    ['PUT', '/version'],
    ['GET', '/vx/info'],
    ['GET', '/'],
  ] as const) {
    const response = await server.request(path, { method });
    expect([response.status, await response.json()], path).toEqual([404, { message: 'page not found' }]);
  }
});

// Answers of Docker 28.5 to the same.
test('words, sizes and times that are none are refused before anything is done', async () => {
  const json = { 'Content-Type': 'application/json' };
  const cases: [method: string, path: string, init: RequestInit, status: number, message: string][] = [
    ['GET', '/containers/a%zz/json', {}, 400, 'invalid URL escape "%zz"'],
    ['GET', '/containers/json?all=%z', {}, 400, 'invalid URL escape "%z"'],
    ['GET', '/events?since=20&until=10', {}, 400, '`since` time (20) cannot be after `until` time (10)'],
    [
      'GET',
      '/v1.52000/info',
      {},
      400,
      'client version 1.52000 is too new. Maximum supported API version is 1.51',
    ],
    ['POST', '/containers/create', { headers: json, body: '{"Image":""}' }, 400, 'no command specified'],
    [
      'POST',
      '/containers/x/start',
      { headers: json, body: '{"Image":"busybox"}' },
      400,
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    ],
  ];
  for (const [method, path, init, status, text] of cases) {
    const response = await server.request(path, { method, ...init });
    expect([response.status, await message(response)], path).toEqual([status, text]);
  }
  const options = await server.request('/containers/json', { method: 'OPTIONS' });
  expect([options.status, await options.text()]).toEqual([200, '']);
});

test('what is not built says so; swarm answers as a Docker that is in none', async () => {
  const plugins = await server.request('/v1.51/plugins/pull', json({}));
  expect([plugins.status, await message(plugins)]).toEqual([501, 'plugins is not implemented yet']);
  for (const path of ['/swarm', '/nodes', '/services/x']) {
    const response = await server.request(path);
    expect(response.status).toBe(503);
    expect(await message(response)).toStartWith('This node is not a swarm manager.');
  }
});

test('bad bodies are refused in the words of Docker, and the connection lives on', async () => {
  const create = (init: RequestInit) => server.request('/containers/create', { method: 'POST', ...init });
  const type = { 'Content-Type': 'application/json' };
  const cases: [RequestInit, string][] = [
    [{ headers: type, body: '' }, 'invalid JSON: got EOF while reading request body'],
    [
      { headers: { 'Content-Type': 'text/plain' }, body: '{}' },
      "unsupported Content-Type header (text/plain): must be 'application/json'",
    ],
    [{ headers: type, body: '{}' }, 'config cannot be empty in order to create a container'],
    [{ headers: type, body: 'null' }, 'config cannot be empty in order to create a container'],
    [
      { headers: type, body: '{"Image":3}' },
      'invalid JSON: json: cannot unmarshal number into Go struct field .Image of type string',
    ],
    [
      { headers: type, body: '{"Image":"x","HostConfig":{"Memory":"a"}}' },
      'invalid JSON: json: cannot unmarshal string into Go struct field .HostConfig.Memory of type int64',
    ],
    [
      { headers: type, body: '[1]' },
      'invalid JSON: json: cannot unmarshal array into Go value of type container.CreateRequest',
    ],
    [{ headers: type, body: ' ' }, 'invalid JSON: got EOF while reading request body'],
    [{ headers: type, body: '{' }, 'invalid JSON: unexpected EOF'],
    [{ headers: type, body: '{} x' }, 'unexpected content after JSON'],
    [{ headers: type, body: 'x'.repeat(5_000_000) }, 'request body is larger than 4194304 bytes'],
  ];
  for (const [init, expected] of cases) {
    const response = await create(init);
    expect([response.status, await message(response)]).toEqual([400, expected]);
  }
  expect((await server.request('/_ping')).status).toBe(200);
  expect(server.errors).toEqual([]);
});

test('errors keep their kind and message; not-modified has no body', async () => {
  const view = server.engine.add();
  const again = await server.request(`/containers/${view.id}/start`, { method: 'POST' });
  expect([again.status, await again.text()]).toEqual([304, '']);
  const gone = await server.request('/containers/nope/json');
  expect([gone.status, await message(gone)]).toEqual([404, 'No such container: nope']);
  const killed = await server.request('/containers/nope/kill', { method: 'POST' });
  expect([killed.status, await message(killed)]).toEqual([
    404,
    'cannot kill container: nope: No such container: nope',
  ]);
  const running = await server.request(`/containers/${view.id}`, { method: 'DELETE' });
  expect(running.status).toBe(409);
});

test('an internal error is 500 and is logged, without the query', async () => {
  const { images } = server.engine;
  const list = images.list.bind(images);
  images.list = () => Promise.reject(new TypeError('boom'));
  const response = await server.request('/images/json?filters=');
  images.list = list;
  expect([response.status, await message(response)]).toEqual([500, 'boom']);
  expect(server.errors.splice(0)).toEqual([
    { method: 'GET', path: '/images/json', error: expect.stringContaining('boom') },
  ]);
});

test('image names may hold slashes, ports and digests', async () => {
  for (const name of ['reg.local:5000/a/b:1', `a/b@sha256:${'0'.repeat(64)}`]) {
    const response = await server.request(`/v1.44/images/${name}/json`);
    expect(await message(response)).toBe(`No such image: ${name}:latest`);
  }
  const tagged = await server.request('/images/busybox/tag?repo=reg.local:5000/x/y&tag=2', {
    method: 'POST',
  });
  expect(tagged.status).toBe(201);
  expect(server.engine.imageViews[0]?.repoTags.pop()).toBe('reg.local:5000/x/y:2');
});

test('images look as older clients know them', async () => {
  const first = async (path: string) =>
    ((await (await server.request(path)).json()) as Record<string, unknown>[])[0];
  expect(await first('/v1.43/images/json')).toMatchObject({ VirtualSize: 1_982_312, SharedSize: -1 });
  expect(await first('/v1.43/images/json')).not.toHaveProperty('Descriptor');
  expect(await first('/v1.51/images/json')).not.toHaveProperty('VirtualSize');
  expect(await first('/v1.51/images/json')).toHaveProperty('Descriptor');
});

// As Docker 28.5 answers below these versions.
test('image inspect and info have what older clients look for', async () => {
  const get = async (path: string) =>
    (await (await server.request(path)).json()) as Record<string, Record<string, unknown>>;
  const asked = { Tty: false, Hostname: '', AttachStdin: false, Image: '' };
  expect((await get('/v1.49/images/busybox/json')).Config).toMatchObject(asked);
  expect((await get('/v1.50/images/busybox/json')).Config).not.toHaveProperty('Tty');
  expect((await get('/v1.44/images/busybox/json')).ContainerConfig).toMatchObject({ ...asked, Cmd: null });
  expect(await get('/v1.45/images/busybox/json')).not.toHaveProperty('ContainerConfig');
  expect(await get('/v1.49/info')).toMatchObject({ BridgeNfIptables: false, BridgeNfIp6tables: false });
  expect(await get('/v1.50/info')).not.toHaveProperty('BridgeNfIptables');
  expect((await get('/v1.46/info')).RegistryConfig).toHaveProperty(
    'AllowNondistributableArtifactsCIDRs',
    null,
  );
  const { ID } = (await get('/v1.51/info')).RuncCommit ?? {};
  expect((await get('/v1.48/info')).RuncCommit).toEqual({ ID, Expected: ID });
});

test('options reach the backend', async () => {
  const { calls } = server.engine;
  const view = server.engine.add();
  const post = (path: string) => server.request(path, { method: 'POST' });
  calls.length = 0;
  await post(`/containers/${view.id}/stop?t=3&signal=SIGINT`);
  await server.request(`/containers/${view.id}?force=1&v=true`, { method: 'DELETE' });
  await server.request('/containers/json?all=1&limit=2&filters={"status":{"running":true}}');
  await post('/images/prune?filters={"dangling":{"false":true},"until":{"1h":true}}');
  await server.request('/images/busybox?noprune=1', { method: 'DELETE' });
  expect(calls).toEqual([
    ['stop', view.id, { signal: 'SIGINT', timeoutSeconds: 3 }],
    ['remove', view.id, { force: true, volumes: true }],
    ['list', { all: true, limit: 2, size: false, filters: new Map([['status', ['running']]]) }],
    ['image prune', { danglingOnly: false, filters: new Map([['until', ['1h']]]) }],
    ['rmi', 'busybox', { force: false, platforms: [] }],
  ]);
  for (const [path, text] of [
    ['/containers/json?limit=x', 'strconv.Atoi: parsing "x": invalid syntax'],
    ['/containers/json?filters=x', 'invalid filter'],
    [`/containers/${view.id}/logs`, 'Bad parameters: you must choose at least one stream'],
  ] as const)
    expect(await message(await server.request(path))).toBe(text);
});

test('save, load, push and commit: bodies, answers, and what the backend is asked', async () => {
  const { calls } = server.engine;
  calls.length = 0;
  const arm = encodeURIComponent('{"os":"linux","architecture":"arm64"}');
  const saved = await server.request(`/images/get?names=a&names=b:1&platform=${arm}`);
  expect([saved.headers.get('content-type'), await saved.text()]).toEqual(['application/x-tar', 'archive']);
  const loaded = await server.request('/images/load?quiet=0', { method: 'POST', body: 'twelve bytes' });
  expect(await loaded.text()).toBe('{"stream":"Loaded image: app:latest\\n"}\n');
  const pushed = await server.request(`/images/host:5000/app/push?tag=1&platform=${arm}`, { method: 'POST' });
  expect((await pushed.text()).split('\n')[1]).toBe('{"progressDetail":{},"aux":{"Tag":"latest"}}');
  const two = await server.request(`/images/get?names=a&platform=${arm}&platform=${arm}`);
  expect([two.status, await two.text()]).toEqual([
    400,
    expect.stringContaining('use API version 1.52 or later'),
  ]);
  expect((await server.request('/images/get?names=a&platform=linux/arm64')).status).toBe(400);
  const platform = { os: 'linux', architecture: 'arm64' };
  expect(calls).toEqual([
    ['save', { names: ['a', 'b:1'], platforms: [platform] }],
    ['load', 12, { platforms: [], quiet: false }],
    [
      'push',
      expect.objectContaining({ platform, reference: expect.objectContaining({ path: 'app', tag: '1' }) }),
    ],
  ]);
});

test("a pull streams Docker's lines; credentials reach the backend only", async () => {
  const { engine } = server;
  engine.pullWith = async (_request, progress) => {
    progress({ id: 'latest', status: 'Pulling from library/busybox' });
    progress({ id: '0123456789ab', status: 'Pulling fs layer' });
    progress({ id: '0123456789ab', status: 'Downloading', current: 500_000, total: 1_000_000 });
    progress({ status: 'Status: <done> & over' });
  };
  engine.calls.length = 0;
  const response = await server.request(
    '/images/create?fromImage=busybox&tag=latest&platform=linux/arm64/v8',
    {
      method: 'POST',
      headers: { 'X-Registry-Auth': encodeRegistryAuth({ username: 'u', password: 'p' }) },
    },
  );
  expect(response.headers.get('content-type')).toBe('application/json');
  expect((await response.text()).split('\n')).toEqual([
    '{"status":"Pulling from library/busybox","id":"latest"}',
    '{"status":"Pulling fs layer","progressDetail":{},"id":"0123456789ab"}',
    `{"status":"Downloading","progressDetail":{"current":500000,"total":1000000},"progress":"[${'='.repeat(25)}\\u003e${' '.repeat(25)}]    500kB/1MB","id":"0123456789ab"}`,
    '{"status":"Status: \\u003cdone\\u003e \\u0026 over"}',
    '',
  ]);
  expect(engine.calls).toEqual([
    [
      'pull',
      {
        reference: { domain: 'docker.io', path: 'library/busybox', tag: 'latest', digest: undefined },
        platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
        credentials: { username: 'u', password: 'p' },
      },
    ],
  ]);
});

test('a pull that fails at once has a status, one that fails later a last line', async () => {
  const { engine } = server;
  const pull = () => server.request('/images/create?fromImage=busybox&tag=1', { method: 'POST' });
  const failure = new EngineError('not-found', 'manifest unknown');
  engine.pullWith = () => Promise.reject(failure);
  const early = await pull();
  expect([early.status, await message(early)]).toEqual([404, 'manifest unknown']);
  engine.pullWith = async (_request, progress) => {
    progress({ status: 'Pulling' });
    throw failure;
  };
  const late = await pull();
  expect([late.status, await late.text()]).toEqual([
    200,
    '{"status":"Pulling"}\n{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}\n',
  ]);
});

test('an import streams its body to the backend', async () => {
  server.engine.calls.length = 0;
  const response = await server.request(
    '/images/create?fromSrc=-&repo=x&tag=1&changes=CMD+sh&changes=ENV+a%3Db',
    {
      method: 'POST',
      body: new Uint8Array(6_000_000),
    },
  );
  expect(await response.text()).toBe(`{"status":"sha256:${'1'.repeat(64)}"}\n`);
  expect(server.engine.calls[0]?.slice(0, 2)).toEqual(['import', 6_000_000]);
  expect(server.engine.calls[0]?.[2]).toMatchObject({
    reference: { path: 'library/x', tag: '1' },
    message: 'Imported from -',
    changes: ['CMD sh', 'ENV a=b'],
  });
});

test('networks are listed, filtered, inspected with their containers, made, joined, left and removed', async () => {
  const { containerId, ...member } = {
    containerId: 'c'.repeat(64),
    name: 'one',
    endpoint: {
      endpointId: 'e'.repeat(64),
      macAddress: '02:42:ac:11:00:02',
      ipv4: { address: '172.17.0.2', prefixLength: 16, gateway: '172.17.0.1' },
      ipv6: undefined,
    },
  };
  server.engine.members = [{ containerId, ...member } as unknown as NetworkMember];
  const bridge = (await (await server.request('/networks/bridge')).json()) as { Containers: object };
  expect(bridge.Containers).toEqual({
    [containerId]: {
      Name: 'one',
      EndpointID: 'e'.repeat(64),
      MacAddress: '02:42:ac:11:00:02',
      IPv4Address: '172.17.0.2/16',
      IPv6Address: '',
    },
  });
  const listed = (await (await server.request('/networks?filters={"driver":{"null":true}}')).json()) as {
    Name: string;
  }[];
  expect(listed.map(({ Name }) => Name)).toEqual(['none']);
  expect(await message(await server.request('/networks/nope'))).toBe('network nope not found');
  const made = await server.request('/networks/create', json({ Name: 'mine' }));
  expect([made.status, await made.json()]).toEqual([201, { Id: '4'.repeat(64), Warning: '' }]);
  const joined = await server.request('/networks/mine/connect', json({ Container: 'one' }));
  const left = await server.request('/networks/mine/disconnect', json({ Container: 'one', Force: true }));
  expect([joined.status, left.status]).toEqual([200, 200]);
  expect(await message(await server.request('/networks/mine/connect', json({})))).toBe(
    'invalid container: value is empty',
  );
  const pruned = await server.request('/networks/prune', json({}));
  expect(await pruned.json()).toEqual({ NetworksDeleted: ['left'] });
  expect((await server.request('/networks/mine', { method: 'DELETE' })).status).toBe(204);
  const calls = server.engine.calls.filter(([what]) => String(what).startsWith('network '));
  expect(calls.map(([what, ...rest]) => [what, rest.at(-1)])).toMatchObject([
    ['network create', { name: 'mine', enableIpv4: true, enableIpv6: false, subnets: [] }],
    ['network connect', { network: 'mine' }],
    ['network disconnect', { force: true }],
    ['network rm', 'mine'],
  ]);
  server.engine.members = [];
});

test('pipelined and split requests are answered in order, garbage with 400', async () => {
  const client = await server.connect();
  client.send(`${head('GET', '/_ping')}${head('GET', '/nope')}GE`);
  await client.until('page not found');
  client.send(head('GET', '/_ping').slice(2));
  await client.until('page not found"}\n');
  client.socket.end();
  expect((await client.untilEnd()).match(/HTTP\/1\.1 \d+/g)).toEqual([
    'HTTP/1.1 200',
    'HTTP/1.1 404',
    'HTTP/1.1 200',
  ]);
  const bad = await server.connect();
  bad.send('POST garbage\r\n\r\n');
  expect(await bad.untilEnd()).toStartWith('HTTP/1.1 400 Bad Request');
});

test('a head of a megabyte is read, a larger one refused', async () => {
  const client = await server.connect();
  client.send(head('GET', '/_ping', { 'X-Registry-Config': 'x'.repeat(900_000) }));
  await client.until('OK');
  client.send(head('GET', '/_ping', { 'X-Registry-Config': 'x'.repeat(1_100_000) }));
  expect(await client.untilEnd()).toContain('HTTP/1.1 431 Request Header Fields Too Large');
  client.socket.destroy();
});

test('an offer of h2c is no reason to leave HTTP, nor to lose the body', async () => {
  const client = await server.connect();
  const body = '{"Image":"nope"}';
  client.send(
    head('POST', '/containers/create', {
      Connection: 'Upgrade, HTTP2-Settings',
      Upgrade: 'h2c',
      'Content-Type': 'application/json',
      'Content-Length': String(body.length),
    }) + body,
  );
  expect(await client.until('No such image')).toStartWith('HTTP/1.1 404 Not Found');
  client.socket.destroy();
});

test('closing lets what runs answer, and cuts what is idle', async () => {
  const own = await startTestServer();
  const stopped = Promise.withResolvers<void>();
  let stopping = false;
  own.engine.containers.stop = () => {
    stopping = true;
    return stopped.promise;
  };
  const [busy, idle] = [await own.connect(), await own.connect()];
  idle.send(head('GET', '/_ping'));
  await idle.until('OK');
  busy.send(head('POST', '/containers/x/stop', { 'Content-Length': '0' }));
  await eventually(() => stopping, 'the stop begins');
  const closed = own.server.close(2000);
  await idle.untilEnd();
  expect(busy.ended).toBe(false);
  stopped.resolve();
  await closed;
  expect(await busy.untilEnd()).toStartWith('HTTP/1.1 204 No Content');
  await own.stop();
});

test('a client before API 1.40 gets a shareable IPC namespace, a later one the default', async () => {
  const body = { Image: 'busybox', Cmd: ['sh'] };
  for (const [version, mode] of [
    ['1.39', 'shareable'],
    ['1.40', ''],
  ] as const) {
    await server.request(`/v${version}/containers/create`, json(body));
    const [, request] = server.engine.calls.findLast(([name]) => name === 'create') ?? [];
    expect(request, version).toMatchObject({ host: { ipcMode: mode } });
  }
});

test('before API 1.44 a container is created on one network', async () => {
  const endpoints = { net1: {}, net2: {} };
  const create = async (version: string) => {
    const body = { Image: 'busybox', Cmd: ['sh'], NetworkingConfig: { EndpointsConfig: endpoints } };
    const response = await server.request(`/v${version}/containers/create`, json(body));
    return [response.status, response.status === 201 ? '' : await message(response)];
  };
  expect(await create('1.43')).toEqual([
    400,
    'Container cannot be created with multiple network endpoints: net1, net2',
  ]);
  expect(await create('1.44')).toEqual([201, '']);
});

test('before API 1.40 an update leaves the number of processes as it is', async () => {
  const { id } = server.engine.add();
  for (const [version, limit] of [
    ['1.39', undefined],
    ['1.40', 16],
  ] as const) {
    await server.request(`/v${version}/containers/${id}/update`, json({ PidsLimit: 16 }));
    const [, , change] = server.engine.calls.findLast(([name]) => name === 'update') ?? [];
    expect((change as ContainerChange).resources.pidsLimit, version).toBe(limit);
  }
});

test('a session of another protocol, or of none, is refused in the words of Docker', async () => {
  for (const [headers, text] of [
    [{}, 'no upgrade proto in request'],
    [{ Upgrade: 'foo' }, 'protocol foo not supported'],
    [{ Upgrade: 'foo', Connection: 'Upgrade' }, 'protocol foo not supported'],
  ] as const)
    for (const path of ['/session', '/grpc']) {
      const client = await server.connect();
      client.send(head('POST', path, { ...headers, 'Content-Length': '0' }));
      expect(await client.until(text)).toStartWith('HTTP/1.1 400 Bad Request');
      client.socket.destroy();
    }
});

test('a session is opened also without `Connection: Upgrade`', async () => {
  const client = await server.connect();
  client.send(head('POST', '/v1.51/session', { Upgrade: 'h2c', 'Content-Length': '0' }));
  expect(await client.until('\r\n\r\n')).toStartWith(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  );
  client.socket.destroy();
});

test('a login that the registry refuses is answered as by dockerd, and is no error of ours', async () => {
  const refused = await startTestServer();
  try {
    const text = 'login attempt to http://registry:5000/v2/ failed with status: 401 Unauthorized';
    refused.engine.system.authenticate = () =>
      Promise.reject(new EngineError('internal', text, { code: 'registry-denied' }));
    const response = await refused.request('/auth', json({ username: 'a', password: 'b' }));
    expect([response.status, await message(response)]).toEqual([500, text]);
    expect(refused.errors).toEqual([]);
  } finally {
    await refused.stop();
  }
});
