import { mkdir, rmdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Compression, decompress, detectStream } from '../../archive/compression.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { outputOf } from '../../snapshots/reading/read-root.ts';
import { RootChild } from '../../snapshots/reading/root-child.ts';
import type { ContainerView } from '../container.ts';
import type { ContainerBackend, PathWrite } from '../container-backend.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer } from '../live-container.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { snapshotKeyOf } from '../tasks/task-starter.ts';
import type { ArchiveRequest, ArchiveView, ViewMount } from './archive-request.ts';
import { inOneRun } from './in-one-run.ts';
import type { PathStat } from './path-stat.ts';
import { readFirstLine } from './read-first-line.ts';

const program = fileURLToPath(new URL('./archive-child.ts', import.meta.url));

type Context = Pick<ContainerDependencies, 'snapshotter' | 'paths' | 'events'>;
type Backend = Pick<ContainerBackend, 'statPath' | 'readPath' | 'writePath' | 'matchPaths'>;

/**
 * Files into and out of containers, running or not. Each call is a child process whose root is the container's tree (archive-child.ts): nothing that the
 * container does to its files leads out of it.
 */
export class ArchiveService implements Backend {
  readonly #deps: Context;
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #viewOf: (container: LiveContainer) => Promise<ContainerView>;

  constructor(
    deps: Context,
    index: ContainerIndex<LiveContainer>,
    viewOf: (container: LiveContainer) => Promise<ContainerView>,
  ) {
    this.#deps = deps;
    this.#index = index;
    this.#viewOf = viewOf;
  }

  async statPath(nameOrId: string, path: string, { signal }: { signal: AbortSignal }): Promise<PathStat> {
    const asked = { form: 'stat', path: absolute(path) } as const;
    const { first, rest } = await this.#ask<PathStat>(nameOrId, asked, { path, signal });
    await finished(rest);
    return first;
  }

  async readPath(
    nameOrId: string,
    path: string,
    { signal }: { signal: AbortSignal },
  ): Promise<{ stat: PathStat; tar: ReadableStream<Uint8Array> }> {
    const asked = { form: 'read', path: absolute(path) } as const;
    const {
      first: stat,
      rest: tar,
      container,
    } = await this.#ask<PathStat>(nameOrId, asked, { path, signal });
    publishContainerEvent(this.#deps.events, container.record, 'archive-path');
    return { stat, tar };
  }

  async matchPaths(
    nameOrId: string,
    pattern: string,
    { signal }: { signal: AbortSignal },
  ): Promise<string[]> {
    const asked = { form: 'match', pattern } as const;
    const { first, rest } = await this.#ask<string[]>(nameOrId, asked, { path: pattern, signal });
    await finished(rest);
    return first;
  }

  /** Start a child that only reads. `first` is what it says first, `rest` what follows. */
  async #ask<T>(
    nameOrId: string,
    form: { form: 'stat' | 'read'; path: string } | { form: 'match'; pattern: string },
    { path, signal }: { path: string; signal: AbortSignal },
  ): Promise<{ first: T; rest: ReadableStream<Uint8Array>; container: LiveContainer }> {
    const container = this.#index.resolve(nameOrId);
    const removal = untilRemoved(container);
    const either = AbortSignal.any([signal, removal.signal]);
    try {
      const { line, rest } = await inOneRun(container, either, async () => {
        const view = await this.#readView(container);
        either.throwIfAborted();
        const asked = { view, missing: missing(path, nameOrId), ...form } satisfies ArchiveRequest;
        return await readFirstLine(outputOf(new RootChild(program, asked), either));
      });
      return { first: JSON.parse(line) as T, rest, container };
    } finally {
      // What has begun to come is read on, as an open file is.
      removal.forget();
    }
  }

  async #readView(container: LiveContainer): Promise<ArchiveView> {
    const root =
      container.task === undefined
        ? await this.#deps.snapshotter.view(snapshotKeyOf(container.id))
        : this.#deps.paths.rootfs(container.id);
    return await this.#view(container, root);
  }

  async #view(container: LiveContainer, root: ArchiveView['root']): Promise<ArchiveView> {
    const view = await this.#viewOf(container);
    const { task, record } = container;
    const ids =
      record.idMap === undefined ? {} : { ids: { map: record.idMap, root: typeof root === 'string' } };
    const mounts = mountsOf(view);
    const places = Object.keys(view.host.tmpfs).map((place) => posix.resolve('/', place));
    if (task === undefined || places.length === 0) return { root, mounts, ...ids };
    return {
      root,
      mounts,
      ...ids,
      memory: { places, process: { pid: task.handle.pid, startTicks: task.handle.pidStartTicks } },
    };
  }

  async writePath(nameOrId: string, request: PathWrite, { signal }: { signal: AbortSignal }): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    const { compression, stream } = await detectStream(request.archive);
    // These are undone by programs, which the child may not take from the container.
    const outside = compression === 'bzip2' || compression === 'xz';
    const archive = outside ? decompress(stream, compression) : stream;
    const removal = untilRemoved(container);
    const either = AbortSignal.any([signal, removal.signal]);
    try {
      const begun = await this.#beginWrite(container, request, {
        path: absolute(request.path),
        missing: missing(request.path, nameOrId),
        compression: outside ? 'none' : compression,
        signal: either,
      });
      const copying = sendArchive(begun, archive, either);
      container.copies.add(copying);
      await copying.finally(() => container.copies.delete(copying));
      publishContainerEvent(this.#deps.events, container.record, 'extract-to-dir');
    } finally {
      removal.forget();
      await archive.cancel().catch(() => undefined);
    }
  }

  /**
   * A child that waits for the archive. One that does not run is mounted here until the child has it in its own mount namespace: starts and removals
   * wait for that, and then for the copy alone.
   */
  async #beginWrite(
    container: LiveContainer,
    request: PathWrite,
    options: {
      path: string;
      missing: string;
      compression: Exclude<Compression, 'bzip2' | 'xz'>;
      signal: AbortSignal;
    },
  ): Promise<RootChild> {
    return await container.queue.run(async (turn) => {
      if (container.removing) throw new EngineError('not-found', `No such container: ${container.name}`);
      await Promise.allSettled([
        container.cleaning,
        ...(container.task === undefined ? container.copies : []),
      ]);
      const { signal: asking, ...asked } = options;
      // What is mounted may be on a server that is gone: others have their turn.
      const signal = AbortSignal.any([asking, turn]);
      signal.throwIfAborted();
      const root = this.#deps.paths.rootfs(container.id);
      const { config, host } = container.record;
      const begin = async (): Promise<RootChild> => {
        const child = new RootChild(
          program,
          {
            view: await this.#view(container, root),
            form: 'write',
            keepKinds: request.keepKinds,
            owner: request.toUser && config.user !== '' ? config.user : undefined,
            readonlyRoot: host.readonlyRootfs,
            ...asked,
          } satisfies ArchiveRequest,
          { input: true },
        );
        await ready(child, signal);
        return child;
      };
      return await inOneRun(container, signal, async () =>
        container.task === undefined ? await this.#mounted(container, root, begin) : await begin(),
      );
    });
  }

  async #mounted<T>(container: LiveContainer, root: string, act: () => Promise<T>): Promise<T> {
    const key = snapshotKeyOf(container.id);
    await mkdir(root, { recursive: true, mode: 0o700 });
    try {
      await this.#deps.snapshotter.mount(key, root, { idMap: container.record.idMap });
      return await act();
    } finally {
      await this.#deps.snapshotter.unmount(key, root);
      await rmdir(root).catch(() => undefined);
    }
  }
}

/** The child has said all, and has ended. */
async function finished(rest: ReadableStream<Uint8Array>): Promise<void> {
  for await (const _ of rest);
}

/** Resolves when the child stands in the container's tree and takes input. */
async function ready(child: RootChild, signal: AbortSignal): Promise<void> {
  const abort = (): void => child.kill();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const said = await child.next();
    signal.throwIfAborted();
    if (said === undefined) throw new EngineError('internal', 'Cannot unpack: the child ended early');
  } catch (error) {
    child.kill();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function sendArchive(
  child: RootChild,
  archive: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const reader = archive.getReader();
  const abort = (): void => {
    child.kill();
    void reader.cancel(signal.reason).catch(() => undefined);
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done || !(await child.write(value))) break;
    }
    await child.closeInput();
    await child.end();
    signal.throwIfAborted();
  } catch (error) {
    child.kill();
    await child.end();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    reader.releaseLock();
  }
}

/** Volumes, folders and files of the host, and the engine's own files where nothing else was put in their place. */
function mountsOf(view: ContainerView): ViewMount[] {
  const mounts = view.mounts
    .filter(({ type }) => type !== 'tmpfs')
    .map(({ source, subpath, destination, readWrite }) => ({
      source,
      subpath,
      destination,
      readonly: !readWrite,
    }));
  const own = [
    { source: view.resolvConfPath, destination: '/etc/resolv.conf' },
    { source: view.hostnamePath, destination: '/etc/hostname' },
    { source: view.hostsPath, destination: '/etc/hosts' },
  ];
  const taken = new Set(mounts.map(({ destination }) => destination));
  const readonly = view.host.readonlyRootfs;
  return [
    ...mounts,
    ...own
      .filter(({ source, destination }) => source !== '' && !taken.has(destination))
      .map((mount) => ({ ...mount, readonly })),
  ];
}

/** From the root, without `.` and `..`, but for a slash or `/.` at the end, which tell a link from what it leads to. */
function absolute(path: string): string {
  const clean = posix.resolve('/', path);
  const below = clean === '/' ? '' : clean;
  if (path === '.' || path.endsWith('/.')) return `${below}/.`;
  return path.endsWith('/') ? `${below}/` : clean;
}

function missing(path: string, container: string): string {
  return `Could not find the file ${path} in container ${container}`;
}

/** A signal for its removal, until `forget`. */
function untilRemoved(container: LiveContainer): { signal: AbortSignal; forget: () => void } {
  const removed = new AbortController();
  const waiting = new AbortController();
  container.removed.wait(waiting.signal).then(
    () => removed.abort(new EngineError('not-found', `No such container: ${container.name}`)),
    () => undefined,
  );
  return { signal: removed.signal, forget: () => waiting.abort() };
}
