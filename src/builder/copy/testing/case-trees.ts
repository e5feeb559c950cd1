/** Trees that cases share, as `NodeLine`s. */
export const usrmerged = [
  'd 755 0:0 usr',
  'd 755 0:0 usr/bin',
  'f 755 0:0 usr/bin/sh shell',
  'l bin usr/bin',
];
export const tree = [
  'd 755 0:0 a',
  'f 644 0:0 a/one 1',
  'f 600 0:0 a/two 22',
  'd 750 0:0 a/sub',
  'f 755 0:0 a/sub/three 333',
  'l a/link one',
  'f 644 0:0 b.txt bbb',
  'f 644 0:0 c.txt ccc',
  'l toa a',
  'l tob b.txt',
];
export const users = [
  'd 755 0:0 etc',
  'f 644 0:0 etc/passwd root:x:0:0::/:/bin/sh\nann:x:1001:1002::/:/bin/sh',
  'f 644 0:0 etc/group root:x:0:\nstaff:x:50:',
];
export const owned = [
  'd 755 5:6 a',
  'f 4755 7:8 a/suid s',
  'f 644 9:10 a/plain p',
  'h a/hard a/plain',
  'd 1777 0:0 a/tmp',
  'l a/abs /etc/passwd',
];
