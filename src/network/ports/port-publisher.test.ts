import { beforeEach, expect, test } from 'bun:test';
import { messageOf } from '../../errors/engine-error.ts';
import { silentLogger } from '../../errors/logger.ts';
import type { StaleFlows } from '../host-network.ts';
import { PortPublisher } from './port-publisher.ts';
import type { PortRequest, PublishRequest } from './published-ports.ts';
import { FakePortHolder } from './testing/fake-port-holder.ts';

let holder: FakePortHolder;
let commands: string[];
let flows: StaleFlows[];

beforeEach(() => {
  holder = new FakePortHolder();
  commands = [];
  flows = [];
});

function publisher(): PortPublisher {
  return new PortPublisher({
    holder,
    table: 't',
    changeRules: async (text) => void commands.push(...text.trim().split('\n')),
    forgetFlows: async (stale) => void flows.push(...stale),
    logger: silentLogger,
  });
}

function request(containerId: string, ...ports: Partial<PortRequest>[]): PublishRequest {
  const plain = {
    protocol: 'tcp' as const,
    containerPort: 80,
    hostAddresses: ['0.0.0.0'],
    hostPorts: undefined,
  };
  return {
    containerId,
    containerName: `name of ${containerId}`,
    ipv4: '10.0.0.2',
    ipv6: undefined,
    ports: ports.map((port) => ({ ...plain, ...port })),
    routed: [],
    shared: false,
  };
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'It did not fail',
    (error: unknown) => messageOf(error),
  );
}

const fixed = (port: number) => ({ hostPorts: { from: port, to: port } });
const keys = () => [...holder.held.keys()].toSorted();

test('publish() takes the socket, then the rule; withdraw() lets go of both', async () => {
  const ports = publisher();
  const made = await ports.publish(request('a', { ...fixed(8080), hostAddresses: ['127.0.0.1', '0.0.0.0'] }));
  expect(made.map(({ hostAddress, hostPort }) => `${hostAddress}:${hostPort}`)).toEqual([
    '127.0.0.1:8080',
    '0.0.0.0:8080',
  ]);
  expect(commands.toSorted()).toEqual([
    'add element inet t anyports4 { tcp . 8080 : 10.0.0.2 . 80 }',
    'add element inet t loopback4 { 127.0.0.1 . tcp . 8080 }',
    'add element inet t owners4 { 10.0.0.2 . tcp . 8080 }',
    'add element inet t ports4 { 127.0.0.1 . tcp . 8080 : 10.0.0.2 . 80 }',
  ]);
  commands = [];
  await ports.withdraw('a');
  expect(commands.toSorted()).toEqual([
    'delete element inet t anyports4 { tcp . 8080 }',
    'delete element inet t loopback4 { 127.0.0.1 . tcp . 8080 }',
    'delete element inet t owners4 { 10.0.0.2 . tcp . 8080 }',
    'delete element inet t ports4 { 127.0.0.1 . tcp . 8080 }',
  ]);
  expect(keys()).toEqual([]);
  expect(ports.rules()).toEqual([]);
});

test('publish() has IPv6 of a container without it carried by the helper alone', async () => {
  const ports = publisher();
  await ports.publish(request('a', { ...fixed(8080), hostAddresses: ['::'] }));
  expect(keys()).toEqual(['tcp/::/8080']);
  expect(ports.rules()).toEqual([]);
  await ports.publish({ ...request('b', { ...fixed(8081), hostAddresses: ['::', '::1'] }), ipv6: 'fd00::2' });
  expect(ports.rules()).toEqual([
    {
      protocol: 'tcp',
      hostAddress: undefined,
      hostPort: 8081,
      address: 'fd00::2',
      port: 80,
      way: 'forwarded',
    },
  ]);
});

test('publish() refuses what one of ours has and says whose it is, and keeps nothing', async () => {
  const ports = publisher();
  await ports.publish(request('a', { ...fixed(8080), hostAddresses: ['127.0.0.1'] }));
  expect(await failureOf(ports.publish(request('b', fixed(9000), fixed(8080))))).toBe(
    'Bind for 127.0.0.1:8080 failed: port is already allocated (by container name of a)',
  );
  expect(keys()).toEqual(['tcp/127.0.0.1/8080']);
  await ports.publish(
    request('c', { ...fixed(8080), hostAddresses: ['::'] }, { ...fixed(8080), protocol: 'udp' }),
  );
});

test('publish() goes on in a range where a port is taken, and tells of the last where all are', async () => {
  const ports = publisher();
  holder.foreign.add(8080);
  const range = { hostPorts: { from: 8080, to: 8081 } };
  expect((await ports.publish(request('a', range)))[0]?.hostPort).toBe(8081);
  expect(await failureOf(ports.publish(request('b', range)))).toBe(
    'Bind for 0.0.0.0:8081 failed: port is already allocated (by container name of a)',
  );
  expect(await failureOf(ports.publish(request('c', fixed(8080))))).toBe(
    'failed to bind host port for 0.0.0.0:8080:10.0.0.2:80/tcp: address already in use',
  );
});

test('publish() gives fixed ports before any port, and no port twice in a row', async () => {
  const ports = publisher();
  const [fixedOne, anyOne] = await ports.publish(request('a', {}, fixed(32_768)));
  expect(fixedOne?.hostPort).toBe(32_768);
  expect(anyOne?.hostPort).not.toBe(32_768);
  await ports.withdraw('a');
  const [later] = await ports.publish(request('a', {}));
  expect(later?.hostPort).not.toBe(anyOne?.hostPort);
});

test('publish() again, for other addresses, keeps the ports that nobody named', async () => {
  const ports = publisher();
  const first = await ports.publish(request('a', {}, fixed(8080)));
  const second = await ports.publish({ ...request('a', {}, fixed(8080)), ipv4: '10.0.0.9' });
  expect(second).toEqual(first);
  expect(ports.rules().map(({ address }) => address)).toEqual(['10.0.0.9', '10.0.0.9']);
});

test('a later daemon finds what is held, keeps what runs, and puts back what has gone', async () => {
  const first = publisher();
  await first.publish(request('a', fixed(1)));
  await first.publish(request('b', fixed(2)));
  const noted = [...first.of('a'), ...first.of('b')];
  const second = publisher();
  await second.find();
  expect(second.rules()).toHaveLength(2);
  await second.recover(noted.filter(({ containerId }) => containerId === 'b'));
  expect(keys()).toEqual(['tcp/0.0.0.0/2']);
  holder.held.clear();
  const third = publisher();
  await third.find();
  await third.recover(noted);
  expect(keys()).toEqual(['tcp/0.0.0.0/1', 'tcp/0.0.0.0/2']);
});

test('what a lost helper held is held again', async () => {
  const ports = publisher();
  await ports.publish(request('a', fixed(1)));
  holder.lose();
  await ports.withdraw('unknown');
  expect(keys()).toEqual(['tcp/0.0.0.0/1']);
});

test('publish() again keeps what is wanted still, and changes the rest', async () => {
  const ports = publisher();
  await ports.publish(request('a', fixed(1), fixed(2)));
  commands = [];
  await ports.publish(request('a', fixed(2), fixed(3)));
  expect(commands).toEqual([
    'add element inet t anyports4 { tcp . 3 : 10.0.0.2 . 80 }',
    'add element inet t owners4 { 10.0.0.2 . tcp . 3 }',
    'delete element inet t anyports4 { tcp . 1 }',
    'delete element inet t owners4 { 10.0.0.2 . tcp . 1 }',
  ]);
  expect(keys()).toEqual(['tcp/0.0.0.0/2', 'tcp/0.0.0.0/3']);
});

test('publish() again that is refused leaves what there was, also what stood in its own way', async () => {
  const ports = publisher();
  await ports.publish(request('a', fixed(1)));
  await ports.publish(request('b', fixed(2)));
  const before = ports.rules();
  const moved = request('b', { ...fixed(2), containerPort: 81 }, fixed(1));
  expect(await failureOf(ports.publish(moved))).toContain('already allocated (by container name of a)');
  expect(ports.rules()).toEqual(before);
  expect(keys()).toEqual(['tcp/0.0.0.0/1', 'tcp/0.0.0.0/2']);
  await ports.publish(request('b', { ...fixed(2), containerPort: 81 }));
  expect(ports.of('b')).toMatchObject([{ hostPort: 2, containerPort: 81 }]);
});

test('an owner of several places of one port is forgotten with the last', async () => {
  const ports = publisher();
  const at = (...hostAddresses: string[]) =>
    hostAddresses.map((one) => ({ ...fixed(1), hostAddresses: [one] }));
  await ports.publish(request('a', ...at('127.0.0.1', '127.0.0.2')));
  commands = [];
  await ports.publish(request('a', ...at('127.0.0.1')));
  expect(commands).toEqual([
    'delete element inet t ports4 { 127.0.0.2 . tcp . 1 }',
    'delete element inet t loopback4 { 127.0.0.2 . tcp . 1 }',
  ]);
});

const shared = (id: string, ipv4: string, port = 1) => ({ ...request(id, fixed(port)), ipv4, shared: true });

test('a port is shared by those that all say so; who rests gets no connection', async () => {
  const ports = publisher();
  await ports.publish(shared('a', '10.0.0.2'));
  await ports.publish(shared('b', '10.0.0.3'));
  expect(ports.sharedPorts()).toMatchObject([{ hostPort: 1, targets: [] }]);
  commands = [];
  await ports.rest('a', false);
  await ports.rest('b', false);
  const rule = (...targets: string[]) =>
    `add rule inet t shared4_tcp_1_any meta nfproto ipv4 meta l4proto tcp dnat ip to numgen inc mod ${targets.length} map { ${targets.map((one, at) => `${at} : ${one} . 80`).join(', ')} }`;
  const around = (line: string) => [
    'add chain inet t shared4_tcp_1_any',
    'flush chain inet t shared4_tcp_1_any',
    line,
    'add element inet t anyshared4 { tcp . 1 : goto shared4_tcp_1_any }',
  ];
  expect(commands).toEqual([...around(rule('10.0.0.2')), ...around(rule('10.0.0.2', '10.0.0.3'))]);
  expect(ports.rules().every(({ way }) => way === 'shared')).toBe(true);
  expect(holder.held.get('tcp/0.0.0.0/1')?.map(({ containerId }) => containerId)).toEqual(['a', 'b']);
  commands = [];
  await ports.rest('a', true);
  await ports.rest('a', true);
  expect(commands).toEqual(around(rule('10.0.0.3')));
  commands = [];
  await ports.withdraw('a');
  expect(commands).toEqual([
    ...around(rule('10.0.0.3')),
    'delete element inet t owners4 { 10.0.0.2 . tcp . 1 }',
  ]);
  expect(keys()).toEqual(['tcp/0.0.0.0/1']);
  commands = [];
  await ports.withdraw('b');
  expect(commands.slice(0, 3)).toEqual([
    'delete element inet t anyshared4 { tcp . 1 }',
    'flush chain inet t shared4_tcp_1_any',
    'delete chain inet t shared4_tcp_1_any',
  ]);
  expect(keys()).toEqual([]);
});

test('a port is not shared with who does not say so, at another address, or by itself', async () => {
  const ports = publisher();
  await ports.publish(shared('a', '10.0.0.2'));
  const taken = 'Bind for 0.0.0.0:1 failed: port is already allocated (by container name of a)';
  expect(await failureOf(ports.publish(request('b', fixed(1))))).toBe(taken);
  const elsewhere = request('b', { ...fixed(1), hostAddresses: ['127.0.0.1'] });
  expect(await failureOf(ports.publish({ ...elsewhere, shared: true }))).toBe(taken);
  const twice = { ...request('c', fixed(2), { ...fixed(2), containerPort: 81 }), shared: true };
  expect(await failureOf(ports.publish(twice))).toContain('(by container name of c)');
  await ports.publish(request('d', fixed(3)));
  expect(await failureOf(ports.publish(shared('e', '10.0.0.3', 3)))).toContain('(by container name of d)');
  // Who is given any port gets one of his own.
  const range = { ...request('f', { hostPorts: { from: 1, to: 2 } }), shared: true };
  expect((await ports.publish(range))[0]?.hostPort).toBe(2);
});

test('flows without connections are forgotten with the port, and those that were there before it', async () => {
  const ports = publisher();
  await ports.publish(
    request('a', { ...fixed(53), protocol: 'udp', hostAddresses: ['192.0.2.1'] }, fixed(53)),
  );
  const flow = { protocol: 'udp' as const, family: 4 as const, hostAddress: '192.0.2.1', hostPort: 53 };
  expect(flows).toEqual([{ ...flow, target: undefined }]);
  flows = [];
  await ports.withdraw('a');
  expect(flows).toEqual([{ ...flow, target: { address: '10.0.0.2', port: 80 } }]);
});

test('a table that can not be changed keeps no socket', async () => {
  let refuses = false;
  const ports = new PortPublisher({
    holder,
    table: 't',
    changeRules: async () => {
      if (refuses) throw new Error('no');
    },
    forgetFlows: async () => undefined,
    logger: silentLogger,
  });
  await ports.publish(request('a', fixed(1)));
  refuses = true;
  await ports.withdraw('a');
  expect(keys()).toEqual([]);
  expect(ports.all()).toEqual([]);
});

test('a routed port is opened at the container, and takes none of the host', async () => {
  const ports = publisher();
  const both = { ipv6: 'fd00::2', routed: [6 as const] };
  const wanted = { ...request('a', { ...fixed(8080), hostAddresses: [''] }), ...both };
  const made = await ports.publish(wanted);
  // As Docker 28.5 shows them, with no port of the host for the second one.
  expect(made.map(({ hostAddress, hostPort }) => `${hostAddress}:${hostPort}`)).toEqual([
    '0.0.0.0:8080',
    ':::0',
  ]);
  expect(commands).toContain('add element inet t routed6 { fd00::2 . tcp . 80 }');
  expect(ports.rules().map(({ way }) => way)).toEqual(['forwarded', 'routed']);
  const other = await ports.publish({
    ...request('b', { ...fixed(8080), hostAddresses: ['127.0.0.1'] }),
    ipv4: '10.0.0.3',
    routed: [4],
  });
  expect(other).toEqual([{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 0, containerPort: 80 }]);
  commands = [];
  await ports.publish(wanted);
  expect(commands).toEqual([]);
  await ports.publish({ ...wanted, ports: [] });
  expect(commands.at(-1)).toBe('delete element inet t routed6 { fd00::2 . tcp . 80 }');
  expect(ports.of('b')).toHaveLength(1);
});

test('two requests for one routed port open it once', async () => {
  const ports = publisher();
  const wanted = { ...request('a', fixed(8080), fixed(8081)), routed: [4 as const] };
  expect(await ports.publish(wanted)).toHaveLength(1);
  expect(await ports.publish(wanted)).toHaveLength(1);
  await ports.withdraw('a');
  expect(keys()).toEqual([]);
});

test('SCTP is forwarded, or opened, by rules as the others are', async () => {
  const ports = publisher();
  const sctp = { protocol: 'sctp' as const, hostAddresses: [''] };
  await ports.publish({ ...request('a', { ...fixed(8080), ...sctp }), ipv6: 'fd00::2', routed: [6] });
  expect(commands).toContain('add element inet t anyports4 { sctp . 8080 : 10.0.0.2 . 80 }');
  expect(commands).toContain('add element inet t routed6 { fd00::2 . sctp . 80 }');
  // Who sends goes on by the flow that there was.
  expect(flows).toEqual([
    { protocol: 'sctp', family: 4, hostAddress: undefined, hostPort: 8080, target: undefined },
  ]);
});
