import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';

/** Where Docker's packages put theirs, before `PATH`. */
const FOLDERS = [
  '/usr/local/libexec/docker',
  '/usr/libexec/docker',
  '/usr/local/lib/docker',
  '/usr/lib/docker',
  '/usr/libexec/podman',
];
/** All take `-- COMMAND`, reap what is orphaned and pass signals on. */
const NAMES = ['docker-init', 'tini-static', 'catatonit'];
const PROGRAM_HEADER_INTERP = 3;

/**
 * The init that `--init` puts before a container's command: it must need nothing of the image's, so only a static one will do.
 *
 * @throws EngineError "internal" in Docker's words when there is none.
 */
export function findInitProgram(path: string = process.env['PATH'] ?? ''): string {
  const folders = [...FOLDERS, ...path.split(delimiter).filter((folder) => folder.startsWith('/'))];
  for (const name of NAMES) {
    const found = folders.map((folder) => join(folder, name)).find(isStaticProgram);
    if (found !== undefined) return found;
  }
  throw new EngineError('internal', 'exec: "docker-init": executable file not found in $PATH', {
    hint: 'Install tini or catatonit.',
  });
}

/** An executable ELF file (64-bit, little-endian) that names no interpreter. */
function isStaticProgram(path: string): boolean {
  const stat = statOf(path);
  if (stat === undefined || !stat.isFile() || (stat.mode & 0o111) === 0) return false;
  const head = readHead(path);
  if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return false;
  const table = Number(head.readBigUInt64LE(32));
  const [size, count] = [head.readUInt16LE(54), head.readUInt16LE(56)];
  if (size < 56 || table + size * count > head.length) return false;
  const types = Array.from({ length: count }, (_, index) => head.readUInt32LE(table + index * size));
  return !types.includes(PROGRAM_HEADER_INTERP);
}

/** Undefined too where a folder on the way may not be entered. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Headers lie at the beginning of every linker's work. */
function readHead(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(4096);
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } finally {
    closeSync(fd);
  }
}
