import { EngineError } from '../errors/engine-error.ts';
import type { ImageService } from '../images/image-service.ts';
import type { Digest } from '../oci/digest.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildSession } from './build-session.ts';
import type { SolverPorts } from './solver/build-ports.ts';
import { watched } from './solver/build-progress-teller.ts';
import { withGitAccess } from './sources/git-access.ts';
import { PlaceFiles } from './sources/place-files.ts';
import { withoutLogin } from './sources/shown-url.ts';

/** What a client that drives its build may want to look into. */
export type ReadableSource =
  /** A context by URL: a repository, an archive, or a Dockerfile alone. */
  | { type: 'remote'; url: string }
  /** A download, by a name of its own. */
  | { type: 'file'; url: string; name: string; checksum: string | undefined }
  /** What a build made, by its image's ID. */
  | { type: 'image'; reference: string };

/** Its files, until it is closed. */
export interface SourceFiles extends Pick<PlaceFiles, 'stat' | 'list' | 'read'> {
  close(): Promise<void>;
}

export interface ReadSourcePorts {
  images: ImageService;
  solver: Pick<SolverPorts, 'remote' | 'runs' | 'snapshotter' | 'takeLease'>;
}

export interface ReadSourceOptions {
  session: BuildSession;
  watch: BuildWatcher;
  signal: AbortSignal;
}

/** @throws as `RemoteSources`; EngineError "not-found" for an image that isn't here. */
export async function readSource(
  source: ReadableSource,
  ports: ReadSourcePorts,
  options: ReadSourceOptions,
): Promise<SourceFiles> {
  switch (source.type) {
    case 'remote':
      return await ofContext(source.url, ports, options);
    case 'file':
      return await ofDownload(source, ports, options);
    case 'image':
      return await ofImage(source.reference, ports);
  }
}

async function ofContext(
  url: string,
  { solver }: ReadSourcePorts,
  { session, watch, signal }: ReadSourceOptions,
): Promise<SourceFiles> {
  const context = await watched(watch, `[internal] load ${withoutLogin(url)}`, async () =>
    withGitAccess(url, { session, paths: solver.runs.paths, signal }, (access) =>
      solver.remote.context(url, { ...access, signal }),
    ),
  );
  return await opened(
    () => new PlaceFiles(context.place),
    () => context.release(),
  );
}

async function ofDownload(
  { url, name, checksum }: Extract<ReadableSource, { type: 'file' }>,
  { solver }: ReadSourcePorts,
  { watch, signal }: ReadSourceOptions,
): Promise<SourceFiles> {
  const file = await watched(watch, `[internal] load ${withoutLogin(url)}`, async () =>
    solver.remote.http(url, { signal, checksum }),
  );
  return await opened(
    () => new PlaceFiles(file.place, { as: name, name: file.name }),
    () => file.release(),
  );
}

async function ofImage(reference: string, { images, solver }: ReadSourcePorts): Promise<SourceFiles> {
  const chain = images
    .rooms()
    .store.image(reference as Digest)
    ?.manifests[0]?.chainIds.at(-1);
  if (images.rooms().store.image(reference as Digest) === undefined)
    throw new EngineError('not-found', `no such ref: ${reference}`);
  const lease = solver.takeLease();
  const release = async (): Promise<void> => lease.release();
  try {
    await lease.add({ blobs: [], chains: chain === undefined ? [] : [chain] });
    const layers = chain === undefined ? [] : await solver.snapshotter.places(chain);
    return await opened(() => new PlaceFiles({ kind: 'layers', layers }), release);
  } catch (error) {
    await release();
    throw error;
  }
}

async function opened(open: () => PlaceFiles, release: () => Promise<void>): Promise<SourceFiles> {
  let files: PlaceFiles;
  try {
    files = open();
  } catch (error) {
    await release();
    throw error;
  }
  return {
    stat: (path) => files.stat(path),
    list: (path, include) => files.list(path, include),
    read: (path, range) => files.read(path, range),
    close: async () => {
      files.close();
      await release();
    },
  };
}
