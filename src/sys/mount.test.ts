import { expect, test } from 'bun:test';
import { parseMountInfo } from './mount.ts';

// Example of proc_pid_mountinfo(5), and what the kernel prints for a name with blank, tab, backslash and UTF-8.
const text = `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
40 35 0:41 / /a\\040b\\011c\\134d/\\303\\251 ro,relatime - overlay overlay ro,upperdir=/x\\040y/upper
41 35 0:42 / /none rw - tmpfs  rw
`;

test('parseMountInfo() splits optional fields off and resolves escapes', () => {
  const [first, second, third] = parseMountInfo(text);
  expect(first).toEqual({
    id: 36,
    parentId: 35,
    device: '98:0',
    root: '/mnt1',
    target: '/mnt2',
    options: 'rw,noatime',
    type: 'ext3',
    source: '/dev/root',
    superOptions: 'rw,errors=continue',
    propagates: true,
  });
  expect(second).toMatchObject({ target: '/a b\tc\\d/é', superOptions: 'ro,upperdir=/x y/upper' });
  expect(third).toMatchObject({ type: 'tmpfs', source: '', superOptions: 'rw' });
});

test('parseMountInfo() skips what is no line of it', () => {
  expect(parseMountInfo('\nnonsense\n1 2 3\n')).toEqual([]);
});
