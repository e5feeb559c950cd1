import { expect, test } from 'bun:test';
import { failureOf } from '../../test/support/failure-of.ts';
import { MountError } from '../sys/mount-thread.ts';
import { parseMountWords } from './mount-words.ts';
import { mountCalls, mountFailure } from './volume-options.ts';

test('words of mount(8) are flags, the rest is for the file system', () => {
  expect(parseMountWords('rw,nosuid,size=1m,noexec,uid=5,suid,defaults')).toEqual({
    flags: 0x8,
    propagation: 0,
    data: 'size=1m,uid=5',
  });
  expect(parseMountWords('rbind,ro,rslave')).toEqual({ flags: 0x5001, propagation: 0x84000, data: '' });
  expect(parseMountWords('constructor,')).toEqual({ flags: 0, propagation: 0, data: 'constructor' });
});

test('a bind becomes read-only by a second call, as mount(2) wants it', async () => {
  const options = { type: 'none', o: 'bind,ro,rslave', device: '/x' };
  expect(await mountCalls(options, '/v')).toEqual([
    { source: '/x', target: '/v', type: 'none', flags: 0x1001, data: '' },
    { source: 'none', target: '/v', flags: 0x84000 },
    { source: 'none', target: '/v', flags: 0x1021 },
  ]);
});

test('servers are looked up, addresses are not', async () => {
  const nfs = (o: string) => mountCalls({ type: 'nfs', o, device: ':/x' }, '/v');
  expect(await nfs('addr=127.0.0.1,rw')).toMatchObject([{ source: ':/x', data: 'addr=127.0.0.1' }]);
  expect(await nfs('vers=4,addr=localhost')).toMatchObject([
    { data: expect.stringMatching(/^vers=4,addr=(127\.0\.0\.1|::1)$/) },
  ]);
  expect(await failureOf(nfs('addr=nosuch.invalid'))).toMatchObject({
    message: 'error resolving passed in network volume address: lookup nosuch.invalid: no such host',
  });
});

// Recorded from Docker 28.5.
test('a failed mount is told in the words of Docker, without passwords', () => {
  const calls = [{ source: '/nodir', target: '/v/_data', type: 'none', flags: 0x1000, data: '' }];
  expect(mountFailure('/v/_data', calls, new MountError(0, 2, 'x')).message).toBe(
    "error while mounting volume '/v/_data': failed to mount local volume: mount /nodir:/v/_data, flags: 0x1000: no such file or directory",
  );
  const share = [{ source: '//h/s', target: '/v', flags: 0, data: 'user=a,password=b,x=1' }];
  expect(mountFailure('/v', share, new MountError(0, 22, 'x')).message).toEndWith(
    'mount //h/s:/v, data: user=a,password=********,x=1: invalid argument',
  );
});
