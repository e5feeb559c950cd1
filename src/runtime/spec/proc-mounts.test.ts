import { afterAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkProcMount } from './proc-mounts.ts';

const root = mkdtempSync(join(tmpdir(), 'sampan-proc-'));
mkdirSync(join(root, 'proc'));
symlinkSync('/proc', join(root, 'vol'));
symlinkSync('../vol/sys', join(root, 'far'));
// Hidden once the kernel's is mounted over it.
symlinkSync('/safe', join(root, 'proc/sys'));
afterAll(() => rmSync(root, { recursive: true }));

const mount = (destination: string, source = '/src', type = 'bind') => ({
  destination,
  source,
  type,
  options: [],
});

/** As Docker 28.5 (runc 1.3) answered. */
describe('mounts on or in /proc', () => {
  test.each([
    ['/proc', '/proc', 'it is not of type proc'],
    ['/vol', '/proc', 'it is not of type proc'],
    ['/proc/sys', '/proc/sys', 'it is inside /proc'],
    ['/vol/sys', '/proc/sys', 'it is inside /proc'],
    ['/far', '/proc/sys', 'it is inside /proc'],
    ['/proc/version', '/proc/version', 'it is inside /proc'],
    ['/proc/net/dev', '/proc/net/dev', 'it is inside /proc'],
  ])('%s is refused', (destination, place, reason) => {
    expect(() => checkProcMount(root, mount(destination))).toThrow(
      `failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "/src" to rootfs at "${destination}": create mountpoint for ${destination} mount: check proc-safety of ${destination} mount: "${root}${place}" cannot be mounted because ${reason}`,
    );
  });

  test("a tmpfs is refused, the host's /proc is not", () => {
    expect(() => checkProcMount(root, mount('/proc', '/proc', 'tmpfs'))).toThrow('not of type proc');
    checkProcMount(root, mount('/proc', '/proc'));
  });

  test.each(['/proc/cpuinfo', '/vol/meminfo', '/process', '/data', '/data/proc/sys'])(
    '%s is not',
    (place) => {
      checkProcMount(root, mount(place));
    },
  );
});
