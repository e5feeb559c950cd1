import { ptr } from 'bun:ffi';
import { closeSync, constants, openSync } from 'node:fs';
import { errno } from './errno.ts';
import { checked, lastErrno, libc, SyscallError } from './libc.ts';

/** quotactl_fd(2), Linux 5.14; the same number on x86-64 and arm64. */
const QUOTACTL_FD = 443n;
const PROJECT_QUOTA = 2;
// <linux/quota.h> and <linux/dqblk_xfs.h>
const Q_GETQUOTA = 0x800007;
const Q_SETQUOTA = 0x800008;
const Q_XGETQSTAT = 0x5805;
const PROJECT_ENFORCED = 1 << 5;
const QIF_BLIMITS = 1;
const BLOCK_BYTES = 1024;
/** struct if_dqblk: eight u64, and which of them are valid. */
const DQBLK_BYTES = 72;
const DQBLK_VALID = 64;
/** struct fs_quota_stat, with room for later fields. */
const QSTAT_BYTES = 128;

// struct fsxattr of <linux/fs.h>
const FS_IOC_FSGETXATTR = 0x801c581fn;
const FS_IOC_FSSETXATTR = 0x401c5820n;
const FSXATTR_WORDS = 7;
const FSXATTR_PROJECT = 3;
const PROJECT_INHERITED = 0x200;

/** Whether the file system of a directory holds files of a project to the project's limit: XFS with `pquota`, ext4 with `prjquota`. */
export function enforcesProjectQuotas(directory: string): boolean {
  return withDirectory(directory, (fd) => {
    const state = Buffer.alloc(QSTAT_BYTES);
    if (quotactl(fd, { command: Q_XGETQSTAT, project: 0, data: state }) === -1) return false;
    return (state.readUInt16LE(2) & PROJECT_ENFORCED) !== 0;
  });
}

/** The project that a directory's files are counted for; 0: none, or the file system knows no projects. */
export function projectOf(directory: string): number {
  return withDirectory(directory, (fd) => {
    const attributes = new Uint32Array(FSXATTR_WORDS);
    if (libc.ioctl(fd, FS_IOC_FSGETXATTR, attributes) !== 0) return 0;
    return attributes[FSXATTR_PROJECT] ?? 0;
  });
}

/** Count what is made in a directory from now on for a project. @throws SyscallError. */
export function joinProject(directory: string, project: number): void {
  withDirectory(directory, (fd) => {
    const what = `set the project of ${JSON.stringify(directory)}`;
    const attributes = new Uint32Array(FSXATTR_WORDS);
    checked(libc.ioctl(fd, FS_IOC_FSGETXATTR, attributes), 'ioctl', what);
    attributes[0] = (attributes[0] ?? 0) | PROJECT_INHERITED;
    attributes[FSXATTR_PROJECT] = project;
    checked(libc.ioctl(fd, FS_IOC_FSSETXATTR, attributes), 'ioctl', what);
  });
}

/** Whether a project has neither files nor a limit on the file system of a directory. @throws SyscallError. */
export function isProjectUnused(directory: string, project: number): boolean {
  return withDirectory(directory, (fd) => {
    const quota = Buffer.alloc(DQBLK_BYTES);
    if (quotactl(fd, { command: Q_GETQUOTA, project, data: quota }) !== -1)
      return quota.subarray(0, DQBLK_VALID).every((byte) => byte === 0);
    const number = lastErrno();
    if (number === errno.ENOENT || number === errno.ESRCH) return true;
    throw new SyscallError('quotactl_fd', number, `ask for the quota of project ${project}`);
  });
}

/** The most that a project's files may take on the file system of a directory, rounded up to whole KiB; 0: no limit. @throws SyscallError. */
export function limitProject(directory: string, project: number, bytes: number): void {
  withDirectory(directory, (fd) => {
    const quota = Buffer.alloc(DQBLK_BYTES);
    quota.writeBigUInt64LE(BigInt(Math.ceil(bytes / BLOCK_BYTES)), 0);
    quota.writeUInt32LE(QIF_BLIMITS, DQBLK_VALID);
    const result = quotactl(fd, { command: Q_SETQUOTA, project, data: quota });
    checked(result, 'quotactl_fd', `limit project ${project} to ${bytes} bytes`);
  });
}

function quotactl(
  fd: number,
  { command, project, data }: { command: number; project: number; data: Buffer },
): number {
  const type = (command << 8) | PROJECT_QUOTA;
  return Number(
    libc.syscall(QUOTACTL_FD, BigInt(fd), BigInt(type >>> 0), BigInt(project), BigInt(ptr(data)), 0n, 0n),
  );
}

function withDirectory<T>(directory: string, work: (fd: number) => T): T {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}
