import { afterAll, beforeAll, expect, test } from 'bun:test';
import { emptyMembership } from '../decode/endpoint-settings.ts';
import shapes from '../testing/docker-shapes.json';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

/** A JSON value reduced to its keys and types; lists to their first element. */
type Shape = null | string | Shape[] | { [key: string]: Shape };

/** Keys of Docker 28.5's answers that ours leave out, with the reason. */
const LEFT_OUT = new Set([
  // Asked of the kernel by nobody any more.
  'info.KernelMemoryTCP',
  // There is no containerd here.
  'info.Containerd',
]);

let server: TestServer;
let id = '';
beforeAll(async () => {
  server = await startTestServer();
  ({ id } = server.engine.add((view) => {
    view.config = { ...view.config, env: ['A=b'], labels: { x: 'y' }, exposedPorts: ['80/tcp'] };
    view.args = ['300'];
    view.host = { ...view.host, ulimits: [{ name: 'nofile', soft: 10, hard: 20 }], binds: ['/tmp:/x:ro'] };
    view.mounts = [
      {
        type: 'bind',
        source: '/tmp',
        destination: '/x',
        mode: 'ro',
        readWrite: false,
        propagation: 'rprivate',
      },
    ];
    view.endpoints = [
      {
        networkName: 'bridge',
        networkId: '1'.repeat(64),
        endpointId: 'e'.repeat(64),
        macAddress: '02:42:ac:11:00:02',
        ipv4Address: '172.17.0.2',
        ipv4PrefixLength: 16,
        gateway: '172.17.0.1',
        ipv6Address: '',
        ipv6PrefixLength: 0,
        ipv6Gateway: '',
        asked: emptyMembership('bridge'),
        names: undefined,
      },
    ];
  }));
});
afterAll(() => server.stop());

/** What Docker shows and we don't, or show as another type; null, empty lists and empty objects agree with anything of their like. */
function differences(theirs: Shape, ours: Shape, path: string): string[] {
  if (LEFT_OUT.has(path)) return [];
  if (theirs === null || ours === null) return [];
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    const [their, our] = [theirs[0], ours[0]];
    return their === undefined || our === undefined ? [] : differences(their, our, `${path}[]`);
  }
  if (typeof theirs === 'string' || typeof ours === 'string' || Array.isArray(theirs) || Array.isArray(ours))
    return theirs === ours ? [] : [`${path}: ${JSON.stringify(theirs)} there, ${JSON.stringify(ours)} here`];
  return Object.entries(theirs).flatMap(([key, value]) => {
    const our = ours[key];
    const at = `${path}.${key}`;
    if (our === undefined) return LEFT_OUT.has(at) ? [] : [`${at}: missing`];
    return differences(value, our, at);
  });
}

function shapeOf(value: unknown): Shape {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, shapeOf(element)]));
  return typeof value;
}

test('answers have the keys and types of those that Docker 28.5 gave', async () => {
  const ask = async (path: string) => shapeOf(await (await server.request(path)).json());
  server.engine.eventSource = async function* () {
    yield {
      type: 'container',
      action: 'create',
      actorId: id,
      attributes: { image: 'x', name: 'y' },
      timeNano: 1n,
    };
  };
  const ours: Record<keyof typeof shapes, Shape> = {
    inspect: await ask(`/containers/${id}/json?size=1`),
    list: await ask('/containers/json?size=1'),
    image: await ask('/images/busybox/json'),
    images: await ask('/images/json?shared-size=1'),
    history: await ask('/images/busybox/history'),
    network: await ask('/networks/bridge'),
    info: await ask('/info'),
    version: await ask('/version'),
    top: await ask(`/containers/${id}/top`),
    event: await ask('/events'),
  };
  const found = Object.entries(ours).flatMap(([name, our]) =>
    differences(shapes[name as keyof typeof shapes] as Shape, our, name),
  );
  expect(found).toEqual([]);
});
