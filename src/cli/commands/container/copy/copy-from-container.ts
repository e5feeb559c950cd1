import { TarReader } from '../../../../archive/tar-reader.ts';
import { EngineError } from '../../../../errors/engine-error.ts';
import { isGoDirectory, isGoSymlink } from '../../../../wire/path-stat.ts';
import type { Invocation } from '../../../context.ts';
import { CopyProgress } from './copy-progress.ts';
import { checkDestination, localDestination, nameInContainer } from './local-ends.ts';
import { absoluteLocal, joinLink, withEnd } from './local-path.ts';
import { LocalUnpacker } from './local-unpacker.ts';
import { placeOfCopy } from './place-of-copy.ts';

export interface CopyRequest {
  container: string;
  /** As the user wrote them; `-` is a stream. */
  source: string;
  destination: string;
  follow: boolean;
  toUser: boolean;
  quiet: boolean;
}

/** A path of the container to this machine, or, for `-`, as a tar to stdout. */
export async function copyFromContainer(
  invocation: Invocation,
  request: CopyRequest,
  signal: AbortSignal,
): Promise<void> {
  const { context } = invocation;
  const toStream = request.destination === '-';
  const destination = toStream ? '-' : absoluteLocal(context.cwd, request.destination);
  if (!toStream) await checkDestination(destination);
  const sources = await sourcesOf(invocation, request, signal);
  if (sources.length > 1) await wantDirectory(destination, { sources, toStream });
  for (const source of sources) await copyOne(invocation, { ...request, source, destination }, signal);
}

/** The path itself where something is there, else, with wildcards in it, what fits them. */
async function sourcesOf(
  { client }: Invocation,
  { container, source }: CopyRequest,
  signal: AbortSignal,
): Promise<string[]> {
  if (
    !/[*?[]/.test(source) ||
    (await client.containers.statPath(container, source, { signal })) !== undefined
  )
    return [source];
  const found = (await client.containers.matchPaths(container, source)).filter((path) => path.isWellFormed());
  if (found.length === 0)
    throw new EngineError('not-found', `Nothing in container ${container} fits ${JSON.stringify(source)}`);
  return found.map((path) => withEnd(path, source));
}

async function wantDirectory(
  destination: string,
  { sources, toStream }: { sources: readonly string[]; toStream: boolean },
): Promise<void> {
  if (toStream)
    throw new EngineError('invalid', `Cannot write ${sources.length} archives to one stream: name one path`);
  if ((await localDestination(destination)).isDirectory) return;
  throw new EngineError(
    'invalid',
    `Cannot copy ${sources.length} files to ${JSON.stringify(destination)}: it is no directory`,
  );
}

async function copyOne(invocation: Invocation, request: CopyRequest, signal: AbortSignal): Promise<void> {
  const { context, client } = invocation;
  const { container, destination } = request;
  const source = request.follow ? await followed(invocation, request, signal) : request.source;
  const { stat, tar } = await client.containers.readPath(container, source, { signal });
  if (destination === '-') {
    for await (const chunk of tar) await context.stdout.write(chunk);
    return;
  }
  const progress = new CopyProgress(context, { header: 'Copying from container - ', quiet: request.quiet });
  await progress.around(destination, async () => {
    const name = nameInContainer(request.source);
    const place = placeOfCopy(
      { name, isDirectory: isGoDirectory(stat.mode) },
      await localDestination(destination),
    );
    const unpacker = new LocalUnpacker(place, stat.name);
    const reader = new TarReader(unpacker);
    for await (const chunk of progress.count(tar)) reader.write(chunk);
    reader.finish();
    unpacker.finish();
  });
}

/** What a link leads to, in the container. */
async function followed(
  { client }: Invocation,
  { container, source }: CopyRequest,
  signal: AbortSignal,
): Promise<string> {
  const stat = await client.containers.statPath(container, source, { signal });
  if (stat === undefined || !isGoSymlink(stat.mode)) return source;
  return withEnd(joinLink(source, stat.linkTarget), source);
}
