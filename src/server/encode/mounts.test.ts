import { expect, test } from 'bun:test';
import type { Json } from '../../wire/json.ts';
import { decodeCreateRequest } from '../decode/create-request.ts';
import { encodeHostConfig } from './host-config.ts';

const hostOf = (HostConfig: Json) => encodeHostConfig(decodeCreateRequest({ Image: 'x', HostConfig }).host);

// Sent to Docker 28.5 and shown by its `inspect`, field by field.
test.each<Json>([
  { Type: 'bind', Source: '/tmp', Target: '/t' },
  {
    Type: 'bind',
    Source: '/tmp',
    Target: '/t',
    ReadOnly: true,
    Consistency: 'cached',
    BindOptions: { Propagation: 'rslave', NonRecursive: true },
  },
  { Type: 'bind', Source: '/tmp', Target: '/t', BindOptions: {} },
  { Type: 'bind', Source: '/n', Target: '/t', BindOptions: { CreateMountpoint: true } },
  {
    Type: 'bind',
    Source: '/tmp',
    Target: '/t',
    ReadOnly: true,
    BindOptions: { ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true },
  },
  {
    Type: 'volume',
    Source: 'n',
    Target: '/t',
    VolumeOptions: {
      NoCopy: true,
      Labels: { l: 'v' },
      DriverConfig: { Name: 'local', Options: { device: 'tmpfs', type: 'tmpfs' } },
    },
  },
  { Type: 'volume', Source: 'n', Target: '/t', VolumeOptions: { Subpath: 'sub' } },
  { Type: 'volume', Target: '/t' },
  {
    Type: 'tmpfs',
    Target: '/t',
    ReadOnly: true,
    TmpfsOptions: { SizeBytes: 1048576, Mode: 448, Options: [['exec']] },
  },
  { Type: 'image', Source: 'box:1', Target: '/t', ReadOnly: true, ImageOptions: { Subpath: 'data' } },
])('a mount is shown as it was asked for: %j', (mount) => {
  expect(hostOf({ Mounts: [mount] }).Mounts as Json).toEqual([mount]);
});

test('VolumesFrom and VolumeDriver are shown, no mounts are not', () => {
  expect(hostOf({ VolumesFrom: ['a:ro'], VolumeDriver: 'local' })).toMatchObject({
    VolumesFrom: ['a:ro'],
    VolumeDriver: 'local',
  });
  const none = hostOf({});
  expect([none.VolumesFrom, none.VolumeDriver, 'Mounts' in none]).toEqual([null, '', false]);
});

test('wrong types are told with their place', () => {
  expect(() => hostOf({ Mounts: [5] })).toThrow('.HostConfig.Mounts.0 of type mount.Mount');
  expect(() => hostOf({ Mounts: [{ Type: 5 }] })).toThrow('.HostConfig.Mounts.0.Type of type string');
  expect(() => hostOf({ Mounts: 'x' })).toThrow('.HostConfig.Mounts of type []mount.Mount');
});
