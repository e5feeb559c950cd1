import { expect, test } from 'bun:test';
import { layerRole, layerXattrs } from './layer-role.ts';

test.each([
  ['etc/passwd', { role: 'node' }],
  ['', { role: 'node' }],
  ['a.wh.b', { role: 'node' }],
  ['.wh.foo', { role: 'whiteout', target: 'foo' }],
  ['etc/.wh.foo', { role: 'whiteout', target: 'etc/foo' }],
  ['etc/.wh...', { role: 'refused' }],
  ['etc/.wh.....', { role: 'whiteout', target: 'etc/....' }],
  ['.wh..wh..opq', { role: 'opaque', directory: '' }],
  ['a/b/.wh..wh..opq', { role: 'opaque', directory: 'a/b' }],
  ['a/.wh..wh.foo', { role: 'whiteout', target: 'a/.wh.foo' }],
  ['.wh..wh.plnk', { role: 'ignored' }],
  ['.wh..wh.plnk/88.1234', { role: 'ignored' }],
  ['.wh..wh.aufs', { role: 'ignored' }],
  ['.wh.', { role: 'refused' }],
  ['etc/.wh.', { role: 'refused' }],
  ['etc/.wh..', { role: 'refused' }],
] as [string, object][])('layerRole(%j)', (path, role) => {
  let found: object = { role: 'refused' };
  try {
    found = layerRole({ path });
  } catch (error) {
    expect(error).toMatchObject({ kind: 'invalid', code: 'archive-hostile' });
  }
  expect(found).toEqual(role);
});

test("layerXattrs() drops overlayfs's own", () => {
  const value = new Uint8Array([1]);
  const xattrs = new Map([
    ['trusted.overlay.opaque', value],
    ['trusted.overlay.redirect', value],
    ['trusted.other', value],
    ['user.overlay.x', value],
  ]);
  expect([...layerXattrs(xattrs).keys()]).toEqual(['trusted.other', 'user.overlay.x']);
});
