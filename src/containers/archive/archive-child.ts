// Works in a container's tree for `ArchiveService`: tells what stands at a path, reads it as a tar, finds paths by a pattern, or unpacks the tar on stdin. A
// process with a mount namespace of its own, whose root the container's tree becomes first: synchronous calls alone from then on, see `ownMounts`. The first line of stdout is JSON; a tar that is read follows it.
import { lstatSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { posix } from 'node:path';
import { decompress } from '../../archive/compression.ts';
import { TarReader } from '../../archive/tar-reader.ts';
import { EngineError, errnoCodeOf, serializeError } from '../../errors/engine-error.ts';
import { resolveInRoot } from '../../runtime/spec/root-path.ts';
import { resolveUser } from '../../runtime/spec/user.ts';
import { fsPath, nodeAttributes } from '../../snapshots/node-attributes.ts';
import { requestFd } from '../../snapshots/reading/read-request.ts';
import { RootTar } from '../../snapshots/reading/root-tar.ts';
import { ownMounts } from '../../sys/enter-root.ts';
import type { IdMap } from '../../sys/id-map.ts';
import {
  type ArchiveRequest,
  type ArchiveView,
  maxMatches,
  type ReadPathRequest,
  type ViewMount,
  type WriteRequest,
} from './archive-request.ts';
import { enterView } from './enter-view.ts';
import { matchPaths } from './match-paths.ts';
import type { PathStat } from './path-stat.ts';
import { RootUnpacker } from './root-unpacker.ts';

const BUFFER_BYTES = 1 << 20;

function output(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

function line(value: unknown): void {
  output(Buffer.from(`${JSON.stringify(value)}\n`));
}

/** The kernel's own look: a slash at the end follows a link, and wants a directory. */
function statPath(path: string): PathStat {
  const stat = lstatSync(fsPath(path), { bigint: true });
  const { type, mode, mtimeSeconds, mtimeNanoseconds } = nodeAttributes(path, stat);
  return {
    name: path.endsWith('/.') ? '.' : posix.basename(path) || '/',
    sizeBytes: Number(stat.size),
    type,
    mode,
    mtimeSeconds,
    mtimeNanoseconds,
    linkTarget: type === 'symlink' ? resolveInRoot('/', path) : '',
  };
}

/** One node with all below it, members named after the last part of the path that was asked for. */
function read({ path, view }: ReadPathRequest): void {
  const found = statPath(path);
  line(found);
  const directory = found.type === 'directory';
  const real = (
    directory ? resolveInRoot('/', path) : posix.join(resolveInRoot('/', posix.dirname(path)), found.name)
  ).slice(1);
  const stat = lstatSync(fsPath(`/${real}`), { bigint: true });
  const prefix = found.name === '/' ? '' : found.name;
  const nameOf = (name: string): string => {
    const rest = real === '' ? `/${name}` : name.slice(real.length);
    return name === real ? found.name : `${prefix}${rest}`;
  };
  new RootTar(output, { layer: false, nameOf, wholeSeconds: true, mapOf: mapOf(view) }).writeFrom({
    path: real,
    stat,
  });
}

/** Whose ids are the host's. */
function mapOf({ ids, mounts }: ArchiveView): (path: string) => IdMap | undefined {
  if (ids === undefined) return () => undefined;
  const places = mounts.map(({ destination }) => destination);
  return (path) => (ids.root || places.some((place) => isWithin(`/${path}`, place)) ? ids.map : undefined);
}

async function write(request: WriteRequest): Promise<void> {
  const base = writable(request);
  const owner = request.owner === undefined ? undefined : resolveUser('/', request.owner, []);
  line({});
  const unpacker = new RootUnpacker(base, {
    keepKinds: request.keepKinds,
    owner,
    idMap: request.view.ids?.map,
  });
  const reader = new TarReader(unpacker);
  if (request.compression === 'none') for (const chunk of input()) reader.write(chunk);
  else for await (const chunk of decompress(inputStream(), request.compression)) reader.write(chunk);
  reader.finish();
  unpacker.finish();
}

/** Where the archive goes, without links. @throws EngineError "invalid" where nothing may be written. */
function writable({ path, view, readonlyRoot }: WriteRequest): string {
  if (!statSync(fsPath(path)).isDirectory())
    throw new EngineError('invalid', 'extraction point is not a directory');
  const base = resolveInRoot('/', path);
  const mount = innermost(base, view.mounts);
  if (mount?.readonly === true) throw new EngineError('invalid', 'mounted volume is marked read-only');
  const inMemory = view.memory?.places.some((place) => isWithin(base, place)) === true;
  if (mount === undefined && readonlyRoot && !inMemory)
    throw new EngineError('invalid', 'container rootfs is marked read-only');
  return base;
}

function innermost(path: string, mounts: readonly ViewMount[]): ViewMount | undefined {
  return mounts
    .filter(({ destination }) => isWithin(path, destination))
    .toSorted((a, b) => b.destination.length - a.destination.length)[0];
}

function isWithin(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}

function* input(): Generator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  for (let length = readSync(0, buffer); length > 0; length = readSync(0, buffer))
    yield buffer.subarray(0, length);
}

function inputStream(): ReadableStream<Uint8Array> {
  const pieces = input();
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const { done, value } = pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(Uint8Array.from(value));
      },
    },
    { highWaterMark: 0 },
  );
}

/** In Docker's words, which clients look for. */
function asRefusal(error: unknown, request: ArchiveRequest | undefined): unknown {
  const code = errnoCodeOf(error);
  if (request === undefined || code === undefined || error instanceof EngineError) return error;
  if (code === 'ENOENT') return new EngineError('not-found', request.missing);
  const path = request.form === 'match' ? request.pattern : request.path;
  const reasons: Record<string, string> = {
    ENOTDIR: 'not a directory',
    ELOOP: 'too many levels of symbolic links',
    ENAMETOOLONG: 'file name too long',
  };
  if (reasons[code] !== undefined) return new EngineError('internal', `lstat ${path}: ${reasons[code]}`);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return full ? new EngineError('internal', 'no space left on device', { code: 'no-space' }) : error;
}

async function serve(request: ArchiveRequest): Promise<void> {
  ownMounts();
  enterView(request.view);
  if (request.form === 'stat') line(statPath(request.path));
  else if (request.form === 'read') read(request);
  else if (request.form === 'match') line(matchPaths(request.pattern, maxMatches));
  else await write(request);
}

let request: ArchiveRequest | undefined;
try {
  process.umask(0);
  request = JSON.parse(readFileSync(requestFd, 'utf8')) as ArchiveRequest;
  await serve(request);
} catch (error) {
  writeSync(2, JSON.stringify(serializeError(asRefusal(error, request))));
  process.exit(1);
}
