// Unpacks the tar on stdin into the directory of the first argument, which becomes this process's `/` first. Started by
// `startUnpack` in a mount namespace of its own; writes one JSON document, an UnpackReport, to stdout. With `plain` as second argument names that mark
// things in a layer are names like others.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { hostileArchive } from '../../archive/archive-error.ts';
import { TarReader } from '../../archive/tar-reader.ts';
import { errnoCodeOf, messageOf, serializeError } from '../../errors/engine-error.ts';
import { enterRoot } from '../../sys/enter-root.ts';
import { checked, libc } from '../../sys/libc.ts';
import type { UnpackedLayer } from './layer-unpacker.ts';
import { LayerUnpacker } from './layer-unpacker.ts';
import { noSpaceExitCode, type UnpackReport } from './unpack-report.ts';

const F_SETPIPE_SZ = 1031;
const bufferBytes = 1 << 20;

function unpackStdin(plain: boolean): UnpackedLayer {
  const unpacker = new LayerUnpacker({ plain });
  const reader = new TarReader(unpacker);
  const buffer = Buffer.allocUnsafe(bufferBytes);
  for (let length = readSync(0, buffer); length > 0; length = readSync(0, buffer))
    reader.write(buffer.subarray(0, length));
  reader.finish();
  return unpacker.finish();
}

/** One flush of the whole file system instead of one per file. */
function syncRoot(): void {
  const root = openSync('/', 'r');
  checked(libc.syncfs(root), 'syncfs', 'write the layer to disk');
  closeSync(root);
}

function isFull(error: unknown): boolean {
  const code = errnoCodeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Symlinks of the layer can make a way longer than the kernel walks. */
function asRefusal(error: unknown): unknown {
  const code = errnoCodeOf(error);
  if (code !== 'ENAMETOOLONG' && code !== 'ELOOP') return error;
  return hostileArchive('', `a path is longer than the system can hold (${messageOf(error)})`);
}

function report(result: UnpackReport): void {
  writeSync(1, JSON.stringify(result));
}

try {
  process.umask(0);
  libc.fcntl(0, F_SETPIPE_SZ, BigInt(bufferBytes));
  enterRoot(process.argv[2] ?? '');
  const layer = unpackStdin(process.argv[3] === 'plain');
  syncRoot();
  report({ layer });
} catch (error) {
  // A full disk has no room for the report either, so that the code must do.
  process.exitCode = isFull(error) ? noSpaceExitCode : 1;
  if (!isFull(error)) report({ error: serializeError(asRefusal(error)) });
}
