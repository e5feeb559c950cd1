import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { messageOf } from '../../errors/engine-error.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import { type Check, type FoundStorage, finding, needsRoot } from './check.ts';
import { nearestThere } from './idmap-trial.ts';

/** From which the kernel mounts EROFS from plain files. */
const EROFS_KERNEL = [6, 12] as const;
const UNPACKED = 'layers are unpacked, as with Docker: pulls and removals take several times as long';
const OVER_NETWORK = /^(?:nfs4?|cifs|smb3|9p|afs|ceph|glusterfs|fuse\..*)$/;

/** How layers are kept, and why so. */
export const checkStorage: Check = {
  name: 'storage',
  async run(subject) {
    if (!subject.running && !subject.isRoot) return [needsRoot('storage')];
    const { dataRoot } = subject.settings;
    try {
      const chosen = await subject.storage();
      return [driverFinding(chosen, subject.settings), ...fileSystemFindings(dataRoot)];
    } catch (error) {
      return [
        finding('storage', 'failure', `no storage driver works in ${dataRoot}: ${messageOf(error)}`, {
          cost: 'the daemon does not start',
          advice: 'put data-root onto a local file system: ext4, XFS or Btrfs',
        }),
      ];
    }
  },
};

function driverFinding(
  { driver, reason, ownDisk }: FoundStorage,
  { configFile, storageDriver }: { configFile: string | undefined; storageDriver: string },
): DoctorCheck {
  if (ownDisk !== undefined)
    return finding(
      'storage',
      'warning',
      `${driver}, in a file system of its own (layers/disk.img): ${ownDisk}`,
      {
        cost: 'a loop device in between, and a disk that fills up under it breaks it',
        advice: 'put data-root onto ext4 or XFS; in a container, give it a volume',
      },
    );
  if (driver === 'erofs') return finding('storage', 'ok', `erofs, layers are not unpacked: ${reason}`);
  if (storageDriver === 'overlay')
    return finding('storage', 'note', 'overlay, because storage-driver asks for it', {
      cost: UNPACKED,
      advice: `take storage-driver out of ${configFile ?? "the daemon's command line"}; images are pulled anew`,
    });
  return finding('storage', 'note', `overlay, because erofs does not work here: ${reason}`, {
    cost: UNPACKED,
    advice: isOld(release())
      ? 'a kernel of 6.12 or newer (Debian 12: apt-get install -t bookworm-backports linux-image-amd64)'
      : 'put data-root onto ext4 or XFS itself, not onto an overlay',
  });
}

function isOld(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major < EROFS_KERNEL[0] || (major === EROFS_KERNEL[0] && minor < EROFS_KERNEL[1]);
}

function fileSystemFindings(dataRoot: string): DoctorCheck[] {
  const type = fileSystemOf(nearestThere(dataRoot));
  if (OVER_NETWORK.test(type))
    return [
      finding('file-system', 'warning', `the data root lies on ${type}`, {
        cost: 'locks and extended attributes may not hold, and every start waits for the network',
        advice: 'set data-root to a folder on a local disk',
      }),
    ];
  if (type === 'tmpfs' || type === 'ramfs')
    return [
      finding('file-system', 'warning', `the data root lies in memory (${type})`, {
        cost: 'images, containers and volumes are gone after a reboot',
        advice: 'set data-root to a folder on a disk',
      }),
    ];
  return [finding('file-system', 'ok', `the data root lies on ${type}`)];
}

/** Of the mount that is on top where the path leads. */
function fileSystemOf(path: string): string {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const fields = line.split(' ');
      const target = fields[4];
      const type = fields[fields.indexOf('-', 6) + 1];
      if (target === undefined || type === undefined) return [];
      const isAbove = target === '/' || path === target || path.startsWith(`${target}/`);
      return isAbove ? [{ target, type }] : [];
    });
  const deepest = Math.max(0, ...mounts.map(({ target }) => target.length));
  return mounts.findLast(({ target }) => target.length === deepest)?.type ?? 'an unknown file system';
}
