import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoint } from '../../network/network-driver.ts';
import type { HostOptions } from '../container.ts';
import { ContainerPaths } from '../record/container-paths.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { testConfig, testHost } from '../testing/service-fixture.ts';
import { writeNetworkFiles } from './network-files.ts';

// Expected: /etc/hosts of such containers in Docker 28.5.
const HEAD = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-hosts-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function hostsOf(
  host: Partial<HostOptions>,
  endpoints: Partial<Endpoint>[] = [],
  names: { hostname: string; domainname?: string } = { hostname: 'box' },
): Promise<string[]> {
  const hostGateway = '172.28.0.1';
  const paths = new ContainerPaths({ dataRoot: directory, execRoot: directory });
  const record = { id: 'c', config: testConfig('true', names), host: testHost(host) };
  mkdirSync(paths.directory('c'), { recursive: true });
  await writeNetworkFiles(record as ContainerRecord, paths, {
    joined: Promise.resolve({ endpoints: endpoints as Endpoint[], hostGateway }),
    resolver: Promise.resolve({ nameservers: [], search: [], options: [] }),
  });
  return readFileSync(paths.hosts('c'), 'utf8').trimEnd().split('\n');
}

test("on the host's network: the host's file, unless names are added", async () => {
  expect(await hostsOf({ networkMode: 'host' })).toEqual(
    readFileSync('/etc/hosts', 'utf8').trimEnd().split('\n'),
  );
  expect(await hostsOf({ networkMode: 'host', extraHosts: ['a:1.2.3.4', 'up:host-gateway'] })).toEqual([
    ...HEAD,
    '1.2.3.4\ta',
    '172.28.0.1\tup',
  ]);
});

test("on a bridge: the container's own name last, the gateway for the host", async () => {
  const ipv4 = { address: '172.17.0.2', prefixLength: 16, gateway: '172.17.0.1' };
  expect(await hostsOf({ extraHosts: ['up:host-gateway'] }, [{ ipv4 }])).toEqual([
    ...HEAD,
    '172.28.0.1\tup',
    '172.17.0.2\tbox',
  ]);
  expect(await hostsOf({ networkMode: 'none' })).toEqual(HEAD);
  const ipv6 = { address: 'fd00::2', prefixLength: 64, gateway: 'fd00::1' };
  expect(await hostsOf({}, [{ ipv4 }, { ipv4: { ...ipv4, address: '172.18.0.2' }, ipv6 }])).toEqual([
    ...HEAD,
    '172.17.0.2\tbox',
    '172.18.0.2\tbox',
    'fd00::2\tbox',
  ]);
  for (const names of [{ hostname: 'box.example.com' }, { hostname: 'box', domainname: 'example.com' }])
    expect((await hostsOf({}, [{ ipv4 }], names)).at(-1)).toBe('172.17.0.2\tbox.example.com box');
});
