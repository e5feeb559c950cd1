import { expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forBridge, parseResolvConf, readHostResolvConf } from './resolv-conf.ts';

test('comments and unknown lines are passed over, the last search counts', () => {
  const text =
    '# x\n; y\nnameserver 10.0.0.1\n  nameserver\t10.0.0.2 # z\ndomain a.test\nsearch b.test c.test\noptions ndots:2\noptions edns0\nsortlist 1.2.3.4\n';
  expect(parseResolvConf(text)).toEqual({
    nameservers: ['10.0.0.1', '10.0.0.2'],
    search: ['b.test', 'c.test'],
    options: ['ndots:2', 'edns0'],
  });
});

test('loopback and IPv6 servers are of no use on a bridge', () => {
  const conf = forBridge(
    parseResolvConf(
      'nameserver 127.0.0.1\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 9.9.9.9\nsearch x.test\n',
    ),
  );
  expect(conf).toEqual({ nameservers: ['9.9.9.9'], search: ['x.test'], options: [] });
});

test('with none left Docker’s fallback is taken', () => {
  expect(forBridge(parseResolvConf('nameserver 127.0.0.1\n')).nameservers).toEqual(['8.8.8.8', '8.8.4.4']);
});

test('behind the stub of systemd-resolved the real servers are read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sampan-resolv-'));
  const paths = { main: join(folder, 'main'), behindStub: join(folder, 'behind') };
  expect(await readHostResolvConf(paths)).toEqual({ nameservers: [], search: [], options: [] });
  await writeFile(paths.main, 'nameserver 127.0.0.53\noptions edns0\n');
  expect((await readHostResolvConf(paths)).nameservers).toEqual(['127.0.0.53']);
  await writeFile(paths.behindStub, 'nameserver 10.9.8.7\nsearch lan\n');
  expect(await readHostResolvConf(paths)).toEqual({
    nameservers: ['10.9.8.7'],
    search: ['lan'],
    options: [],
  });
  await rm(folder, { recursive: true });
});
