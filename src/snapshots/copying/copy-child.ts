// Copies a directory for `copyDirectory`: a process in a mount namespace of its own whose root holds the two directories and nothing else. The request
// comes on stdin; an error goes as JSON to stderr.
import { mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { serializeError } from '../../errors/engine-error.ts';
import { pivotInto } from '../../sys/enter-root.ts';
import { checked, libc } from '../../sys/libc.ts';
import { bindMount, mount, mountFlags } from '../../sys/mount.ts';
import type { CopyRequest } from './copy-directory.ts';
import { TreeCopy } from './copy-tree.ts';

function enter({ from, to, scratch }: CopyRequest): void {
  mount({ source: 'tmpfs', target: scratch, type: 'tmpfs', flags: mountFlags.nosuid, data: 'mode=700' });
  const { bind, remount, readonly, nodev, nosuid } = mountFlags;
  for (const [path, name, flags] of [
    [from, 'from', readonly | nodev | nosuid],
    [to, 'to', nodev | nosuid],
  ] as const) {
    const target = `${scratch}/${name}`;
    mkdirSync(target);
    bindMount(path, target);
    mount({ source: 'none', target, flags: bind | remount | flags });
  }
  pivotInto(scratch);
}

try {
  process.umask(0);
  const request = JSON.parse(readFileSync(0, 'utf8')) as CopyRequest;
  enter(request);
  new TreeCopy('/from', '/to').run();
  if (request.sync === true) checked(libc.syncfs(openSync('/to', 'r')), 'syncfs', 'write the copy to disk');
} catch (error) {
  writeSync(2, JSON.stringify(serializeError(error)));
  process.exit(1);
}
