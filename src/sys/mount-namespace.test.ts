import { expect, test } from 'bun:test';
import { parseMountInfo } from './mount.ts';
import { isMountedOnItself } from './mount-namespace.ts';

const text = [
  '27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
  '40 27 0:30 / /srv/disk rw - ext4 /dev/vdb rw',
  '41 27 254:0 /var/lib/a\\040b /var/lib/a\\040b rw - ext4 /dev/vda rw',
  '42 27 254:0 /home/x /var/lib/y rw master:3 - ext4 /dev/vda rw',
  '',
].join('\n');

test('mountinfo lines are read with escaped paths and propagation', () => {
  expect(parseMountInfo(text).map(({ target, propagates }) => [target, propagates])).toEqual([
    ['/', true],
    ['/srv/disk', false],
    ['/var/lib/a b', false],
    ['/var/lib/y', true],
  ]);
});

test('only a folder mounted on itself counts as ours', () => {
  const mounts = parseMountInfo(text);
  expect(isMountedOnItself('/var/lib/a b', mounts)).toBe(true);
  expect(isMountedOnItself('/srv/disk', mounts)).toBe(false);
  expect(isMountedOnItself('/var/lib/y', mounts)).toBe(false);
  expect(isMountedOnItself('/absent', mounts)).toBe(false);
});
