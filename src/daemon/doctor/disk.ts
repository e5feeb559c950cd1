import { statfsSync } from 'node:fs';
import { humanSize } from '../../cli/output/human-size.ts';
import type { CheckState, DoctorCheck } from '../../wire/doctor.ts';
import { type Check, finding } from './check.ts';
import { nearestThere } from './idmap-trial.ts';

const GB = 1e9;
/** Free bytes below which, with less than the share, something is wrong. */
const SCARCE = { share: 0.1, bytes: 10 * GB };
const GONE = { share: 0.02, bytes: GB };
/** The exec root holds notes and sockets, and what containers have in `/dev/shm`. */
const EXEC_ROOT_BYTES = 16e6;
const SCARCE_INODES = 0.05;

/** Whether there is room for what comes. */
export const checkDisk: Check = {
  name: 'disk',
  async run({ settings }) {
    return [dataRoot(settings.dataRoot), execRoot(settings.execRoot)];
  },
};

function dataRoot(path: string): DoctorCheck {
  const { freeBytes, totalBytes, freeInodes } = roomAt(path);
  const isBelow = (limit: { share: number; bytes: number }) =>
    freeBytes / totalBytes < limit.share && freeBytes < limit.bytes;
  const scarce = isBelow(SCARCE) || freeInodes < SCARCE_INODES;
  const state: CheckState = isBelow(GONE) ? 'failure' : scarce ? 'warning' : 'ok';
  const inodes =
    freeInodes < SCARCE_INODES ? `, and ${Math.round(freeInodes * 100)} % of the inodes are left` : '';
  const found = `${humanSize(freeBytes)} of ${humanSize(totalBytes)} are free in ${path}${inodes}`;
  if (state === 'ok') return finding('disk', state, found);
  return finding('disk', state, found, {
    cost: 'pulls and builds end with "no space left on device"; logs and databases of containers do too',
    command: 'sampan system df && sampan system prune',
  });
}

function execRoot(path: string): DoctorCheck {
  const { freeBytes } = roomAt(path);
  const found = `${humanSize(freeBytes)} are free in ${path}`;
  if (freeBytes > EXEC_ROOT_BYTES) return finding('exec-root', 'ok', found);
  return finding('exec-root', 'failure', found, {
    cost: 'containers do not start: their run state lies there',
    command: `mount -o remount,size=50% $(findmnt -nT ${path} -o TARGET)`,
  });
}

function roomAt(path: string): { freeBytes: number; totalBytes: number; freeInodes: number } {
  const { bavail, blocks, bsize, ffree, files } = statfsSync(nearestThere(path));
  // Some file systems make inodes as they need them, and count none.
  return {
    freeBytes: bavail * bsize,
    totalBytes: blocks * bsize || 1,
    freeInodes: files === 0 ? 1 : ffree / files,
  };
}
