import { EngineError } from '../../../../errors/engine-error.ts';
import { isGoDirectory, isGoSymlink } from '../../../../wire/path-stat.ts';
import type { Invocation } from '../../../context.ts';
import type { CopyRequest } from './copy-from-container.ts';
import { CopyProgress } from './copy-progress.ts';
import { localSource } from './local-ends.ts';
import { absoluteLocal, joinLink } from './local-path.ts';
import { localTar } from './local-tar.ts';
import { type CopyDestination, placeOfCopy } from './place-of-copy.ts';

/** A local path, or, for `-`, the tar on stdin, into the container. */
export async function copyToContainer(
  invocation: Invocation,
  request: CopyRequest,
  signal: AbortSignal,
): Promise<void> {
  const { context } = invocation;
  const destination = await destinationOf(invocation, request, signal);
  const progress = new CopyProgress(context, { header: 'Copying to container - ', quiet: request.quiet });
  if (request.source === '-') {
    if (!destination.isDirectory)
      throw new EngineError(
        'invalid',
        `destination "${request.container}:${request.destination}" must be a directory`,
      );
    await progress.around(`${request.container}:${destination.path}`, () =>
      send(invocation, request, { path: destination.path, tar: context.stdin.chunks(), signal }),
    );
    return;
  }
  const source = await localSource(absoluteLocal(context.cwd, request.source), request);
  const place = placeOfCopy(source, destination);
  await progress.around(`${request.container}:${destination.path}`, () =>
    send(invocation, request, {
      path: place.directory,
      tar: progress.count(localTar(source.path, place.name)),
      signal,
    }),
  );
}

/** One link is followed there; what can't be looked at is left to the daemon to refuse. */
async function destinationOf(
  { client }: Invocation,
  { container, destination }: CopyRequest,
  signal: AbortSignal,
): Promise<CopyDestination> {
  const look = (path: string) =>
    client.containers.statPath(container, path, { signal }).catch(() => undefined);
  let path = destination;
  let stat = await look(path);
  signal.throwIfAborted();
  if (stat !== undefined && isGoSymlink(stat.mode)) {
    path = joinLink(path, stat.linkTarget);
    stat = await look(path);
  }
  const isDevice = stat !== undefined && Math.floor(stat.mode / 2 ** 26) % 2 === 1;
  if (isDevice)
    throw new EngineError(
      'invalid',
      `destination "${container}:${destination}" must be a directory or a regular file: got a device`,
    );
  return { path, exists: stat !== undefined, isDirectory: stat !== undefined && isGoDirectory(stat.mode) };
}

/** Where the tar can't be made, the daemon must not wait for the rest of it. */
async function send(
  { client }: Invocation,
  { container, toUser }: CopyRequest,
  { path, tar, signal }: { path: string; tar: AsyncIterable<Uint8Array>; signal: AbortSignal },
): Promise<void> {
  const broken = new AbortController();
  const checked = async function* () {
    try {
      yield* tar;
    } catch (error) {
      broken.abort(error);
      throw error;
    }
  };
  await client.containers.writePath(container, path, {
    tar: checked(),
    keepKinds: true,
    toUser,
    signal: AbortSignal.any([signal, broken.signal]),
  });
}
