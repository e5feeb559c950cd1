import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { eventually, must, run } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { OutsideHost } from './outside-host.ts';

interface Row {
  Container: string;
  ContainerPort: number;
  Published: boolean;
  Address: string;
  Port: number;
  From: string;
  Reachable: 'yes' | 'no' | 'maybe';
  Reason: string;
}

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let outside: OutsideHost;

const HOST = { v4: '198.51.100.1', v6: 'fd00:51::1' };

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
  outside = await OutsideHost.join({
    name: 'out2',
    machine: [`${HOST.v4}/24`, `${HOST.v6}/64`],
    host: ['198.51.100.2/24', 'fd00:51::2/64'],
  });
  await must([...outside.prefix, 'ip', 'route', 'add', 'default', 'via', HOST.v4]);
  await engine.out(['network', 'create', '--internal', 'inner']);
  await engine.out(['network', 'create', '-o', 'com.docker.network.bridge.enable_icc=false', 'apart']);
  const open = 'com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected';
  await engine.out(['network', 'create', '-o', open, 'open']);
});
afterEach(async () => {
  await run(['nft', 'delete', 'table', 'inet', 'admin']);
});
afterAll(async () => {
  await engine.removeContainers();
  for (const name of ['inner', 'apart', 'open']) await engine.run(['network', 'rm', name]);
  await engine.close();
  await outside.close();
  await registry?.close();
});

const server = (name: string, options: readonly string[]) =>
  engine.out([
    'run',
    '-d',
    '--name',
    name,
    ...options,
    'busybox',
    'sh',
    '-c',
    `nc -ll -p 80 -e echo ${name}`,
  ]);

async function exposure(): Promise<Row[]> {
  const text = await engine.out(['network', 'exposure', '--format', 'json'], { client: 'sampan' });
  expect(text).toContain('"Reachable"');
  const { status, body } = await engine.api('GET', '/exposure');
  expect(status).toBe(200);
  return JSON.parse(body) as Row[];
}

const inside = async (name: string) => [
  'nsenter',
  '-t',
  await engine.out(['inspect', '-f', '{{.State.Pid}}', name]),
  '-n',
];

/** From where a row speaks of, what it speaks of. */
async function answers({ Container, Address, Port, From }: Row): Promise<boolean> {
  const anywhere: Record<string, string> = { '0.0.0.0': HOST.v4, '::': HOST.v6 };
  const prefix = From.includes('hosts')
    ? outside.prefix
    : From === 'other networks'
      ? await inside('foreign')
      : From.startsWith('network ')
        ? await inside(`beside-${From.slice('network '.length)}`)
        : [];
  const { stdout } = await run(
    [...prefix, 'busybox', 'nc', '-w', '1', anywhere[Address] ?? Address, String(Port)],
    { stdin: '' },
  );
  return stdout.trim() === Container;
}

const told = ({ Container, Address, Port, From }: Row) => `${Container} ${Address}:${Port} from ${From}`;

/** Rows of interfaces that nobody is behind here are left out. */
const isProbed = ({ From }: Row) => !From.startsWith('hosts on ') || From === 'hosts on out2';

test('what is told is what is found, row by row', async () => {
  await server('web', ['-p', '8080:80', '-p', '127.0.0.1:8081:80', '-p', `${HOST.v4}:8082:80`]);
  await server('hidden', ['--network', 'inner', '-p', '8083:80', '--expose', '80']);
  await server('alone', ['--network', 'apart', '--expose', '80']);
  await server('opened', ['--network', 'open', '--expose', '80']);
  for (const [name, network] of Object.entries({
    bridge: 'bridge',
    inner: 'inner',
    apart: 'apart',
    open: 'open',
  }))
    await engine.out([
      'run',
      '-d',
      '--name',
      `beside-${name}`,
      '--network',
      network,
      'busybox',
      'sleep',
      '1000',
    ]);
  await engine.out(['network', 'create', 'elsewhere']);
  await engine.out(['run', '-d', '--name', 'foreign', '--network', 'elsewhere', 'busybox', 'sleep', '1000']);
  await eventually(
    async () => (await run(['busybox', 'nc', '-w', '1', HOST.v4, '8080'], { stdin: '' })).stdout !== '',
  );
  const rows = (await exposure()).filter(isProbed);
  expect(new Set(rows.map(({ Container }) => Container))).toEqual(
    new Set(['web', 'hidden', 'alone', 'opened']),
  );
  const [said, found]: [string, string][][] = [[], []];
  for (const row of rows) {
    said?.push([told(row), row.Reachable]);
    found?.push([told(row), (await answers(row)) ? 'yes' : 'no']);
  }
  expect(found).toEqual(said as [string, string][]);
  const reasons = rows.map((row) => `${told(row)}: ${row.Reachable}, ${row.Reason}`);
  expect(reasons).toContain('web 198.51.100.1:8080 from hosts on out2: yes, bound to all addresses');
  expect(reasons).toContain('web 127.0.0.1:8081 from other hosts: no, bound to 127.0.0.1');
  expect(reasons.find((one) => one.startsWith('alone') && one.includes('network apart'))).toContain(
    'enable_icc is off',
  );
  expect(reasons.find((one) => one.startsWith('hidden') && one.includes('other hosts'))).toContain(
    'internal network',
  );
}, 120_000);

test("an administrator's rules count: what drops is named, what isn't understood is a maybe", async () => {
  await must(['nft', '-f', '-'], {
    stdin: `table inet admin {
      chain forward {
        type filter hook forward priority -10; policy accept;
        iifname "out2" tcp dport 80 ct original proto-dst 8080 drop
        ip saddr 203.0.113.0/24 drop
      }
      chain input {
        type filter hook input priority 0; policy drop;
        iifname "lo" accept
        ct state established,related accept
        meta l4proto { icmp, ipv6-icmp } accept
      }
    }`,
  });
  const from = async (place: string) =>
    (await exposure())
      .filter((row) => row.Container === 'web' && row.From === place && row.Port === 8080)
      .map(({ Address, Reachable, Reason }) => `${Address} ${Reachable}: ${Reason}`);
  expect(await from('hosts on out2')).toEqual([
    '198.51.100.1 maybe: a rule of chain inet admin forward may drop it',
    // IPv6 to a container without it: the helper carries it, and is not let in.
    'fd00:51::1 no: chain inet admin input drops by policy',
  ]);
  expect(
    await run([...outside.prefix, 'busybox', 'nc', '-w', '1', HOST.v6, '8080'], { stdin: '' }),
  ).toMatchObject({
    stdout: '',
  });
  await must([
    'nft',
    'insert',
    'rule',
    'inet',
    'admin',
    'forward',
    'iifname',
    'out2',
    'tcp',
    'dport',
    '80',
    'drop',
  ]);
  expect((await from('hosts on out2'))[0]).toBe(
    '198.51.100.1 no: dropped by a rule of chain inet admin forward',
  );
  expect(
    await run([...outside.prefix, 'busybox', 'nc', '-w', '1', HOST.v4, '8080'], { stdin: '' }),
  ).toMatchObject({
    stdout: '',
  });
  expect((await from('this machine'))[0]).toBe('0.0.0.0 yes: bound to all addresses');
  const table = await engine.out(['network', 'exposure', '--published', 'web'], { client: 'sampan' });
  expect(table).toMatch(/^CONTAINER +PORT +ADDRESS +FROM +REACHABLE +REASON\nweb +80\/tcp +/);
}, 60_000);
