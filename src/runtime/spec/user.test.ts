import { expect, test } from 'bun:test';
import { homeOf, resolveUser } from './user.ts';

const PASSWD = [
  '# a comment: with: colons',
  'no colons at all',
  'root:x:0:0:root:/root:/bin/sh',
  ':x:5:5::/nobodys:/bin/sh',
  'bad:x:notanumber:7::/bad:/bin/sh',
  ' spaced:x:7:8::/spaced:/bin/sh\r',
  'app:x:1000:1001:App:/srv/app:/bin/false',
  'twin:x:1000:2000::/second:/bin/false',
  'short:x:12',
].join('\n');
const GROUP = [
  'root:x:0:',
  'app:x:1001:',
  'video:x:44:other,app',
  'almost:x:45:application',
  'tail:x:46',
  'dup:x:47:app,app\r',
].join('\n');
const files: Record<string, string> = { '/etc/passwd': PASSWD, '/etc/group': GROUP };
const resolve = (user: string, groupAdd: string[] = []) =>
  resolveUser('/', user, groupAdd, (_root, path) => files[path]);

// As runc's libcontainer/user has it, which Docker 28.5 uses.
test.each<[string, string[], object]>([
  ['', [], { uid: 0, gid: 0, additionalGids: [0], home: '/root' }],
  ['app', [], { uid: 1000, gid: 1001, additionalGids: [1001, 44, 47], home: '/srv/app' }],
  ['1000', [], { uid: 1000, gid: 1001, additionalGids: [1001, 44, 47], home: '/srv/app' }],
  ['app:video', [], { uid: 1000, gid: 44, additionalGids: [44], home: '/srv/app' }],
  ['app:46', ['video', '9'], { uid: 1000, gid: 46, additionalGids: [46, 44, 9], home: '/srv/app' }],
  ['spaced', [], { uid: 7, gid: 8, additionalGids: [8], home: '/spaced' }],
  ['4242', [], { uid: 4242, gid: 0, additionalGids: [0], home: undefined }],
  ['4242:tail', ['dup'], { uid: 4242, gid: 46, additionalGids: [46, 47], home: undefined }],
])('%s with %j', (user, groupAdd, expected) => {
  expect(resolve(user, groupAdd)).toEqual(expected as ReturnType<typeof resolve>);
});

test('names that are not there are refused in Docker’s words', () => {
  expect(() => resolve('nobody')).toThrow('unable to find user nobody: no matching entries in passwd file');
  expect(() => resolve('bad')).toThrow('unable to find user bad');
  expect(() => resolve('app:none')).toThrow('unable to find group none: no matching entries in group file');
  expect(() => resolve('app', ['none'])).toThrow('unable to find group none');
  expect(() => resolve('4294967296')).toThrow('uids and gids must be in range 0-2147483647');
});

test('homeOf() looks for the user alone', () => {
  const read = (_root: string, path: string) => {
    if (path !== '/etc/passwd') throw new Error(path);
    return PASSWD;
  };
  expect([homeOf('/', '', read), homeOf('/', '1000:5', read), homeOf('/', '99', read)]).toEqual([
    '/root',
    '/srv/app',
    undefined,
  ]);
});
