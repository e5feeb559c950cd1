import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { listMounts, unmountIfMounted } from '../../sys/mount.ts';
import type { HostOptions } from '../container.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { UndoStack } from '../tasks/undo.ts';
import { imageMountKey } from './image-mounts.ts';
import { cleanPath } from './mount-mode.ts';
import type { BindPoint, ImagePoint, MountPoint, VolumePoint } from './mount-point.ts';
import { type FoundSource, inPatience } from './source-threads.ts';

/** A mount whose source is there. */
export interface ReadyMount {
  point: MountPoint;
  /** Path on the host, '' for a tmpfs. Good until the container's own mounts are made. */
  source: string;
  /** What stands there, where it has been looked at: to look again may take for ever. */
  found?: FoundSource;
}

/** Sources of one start; what was mounted for it alone goes with `release`. */
export interface ReadyMounts {
  mounts: ReadyMount[];
  /** Once the runtime has mounted them in the container. Absent is fine. */
  release: () => Promise<void>;
}

/**
 * Have the sources of all that a container mounts: folders made, volumes and images mounted.
 *
 * @throws EngineError in Docker's words.
 */
export async function readyMounts(
  record: ContainerRecord,
  deps: ContainerDependencies,
  { undo, signal }: StartContext,
): Promise<ReadyMounts> {
  refuseConflicts(record.host);
  const hidden = new Set(Object.keys(record.host.tmpfs).map(cleanPath));
  const points = record.mounts.filter(({ destination }) => !hidden.has(destination));
  const start = new MountStart(record, deps, { undo, signal });
  const mounts: ReadyMount[] = [];
  for (const point of points) mounts.push({ point, ...(await start.sourceOf(point)) });
  return { mounts, release: () => start.release() };
}

interface StartContext {
  undo: UndoStack;
  /** Aborted when the start is given up. */
  signal: AbortSignal;
}

type Source = Omit<ReadyMount, 'point'>;

class MountStart {
  readonly #record: ContainerRecord;
  readonly #deps: ContainerDependencies;
  readonly #undo: UndoStack;
  readonly #signal: AbortSignal;
  readonly #directory: string;
  #count = 0;

  constructor(record: ContainerRecord, deps: ContainerDependencies, { undo, signal }: StartContext) {
    this.#record = record;
    this.#deps = deps;
    this.#undo = undo;
    this.#signal = signal;
    this.#directory = deps.paths.mounts(record.id);
  }

  async sourceOf(point: MountPoint): Promise<Source> {
    switch (point.type) {
      case 'bind':
        return await this.#bind(point);
      case 'volume':
        return await this.#volume(point);
      case 'image':
        return await this.#image(point);
      case 'tmpfs':
        return { source: '' };
    }
  }

  async release(): Promise<void> {
    if (this.#count === 0) return;
    await dropMounts(this.#directory);
    this.#count = 0;
  }

  async #bind(point: BindPoint): Promise<Source> {
    const { source } = point;
    let found = await this.#find(source);
    if (found === undefined && point.createSource) {
      await this.#make(source);
      found = await this.#find(source);
    }
    const target = point.nonRecursive ? await this.#alone(source, found) : source;
    return { source: target, ...(found === undefined ? {} : { found }) };
  }

  /** Undefined where nothing is, or nothing can be seen: the runtime says why. */
  async #find(path: string): Promise<FoundSource | undefined> {
    const found = await this.#deps.mountSources.find(path, { signal: this.#signal });
    return typeof found === 'string' ? undefined : found;
  }

  /** As `docker run -v` does: a source that is not there becomes a directory. */
  async #make(source: string): Promise<void> {
    try {
      await this.#deps.mountSources.make(source, { signal: this.#signal });
    } catch (error) {
      this.#signal.throwIfAborted();
      const message = `error while creating mount source path '${source}': ${messageOf(error)}`;
      throw new EngineError('invalid', message, { cause: error });
    }
  }

  async #volume({ name, device, subpath }: VolumePoint): Promise<Source> {
    const { volumes } = this.#deps;
    const path = volumes.path(name);
    if (device) {
      const volume = await volumes.get(name);
      if (volume === undefined) throw new EngineError('not-found', `get ${name}: no such volume`);
      this.#undo.add('let go of a volume', () => volumes.unmount(name, this.#record.id));
      await inPatience(path, { signal: this.#signal }, (limited) =>
        volumes.mount(volume, this.#record.id, { signal: limited }),
      );
    }
    if (subpath !== '') return await this.#below(path, subpath);
    const found = device ? await this.#find(path) : undefined;
    return { source: path, ...(found === undefined ? {} : { found }) };
  }

  async #image(point: ImagePoint): Promise<Source> {
    const target = this.#place();
    mkdirSync(target);
    await this.#deps.snapshotter.mount(imageMountKey(this.#record, point), target, {
      readonly: true,
      volatile: true,
      idMap: this.#record.idMap,
    });
    return point.subpath === '' ? { source: target } : await this.#below(target, point.subpath);
  }

  /** crun (1.8) takes along what is mounted below a source, asked for or not: of a copy there is nothing. */
  async #alone(source: string, found: FoundSource | undefined): Promise<string> {
    if (found === undefined || !listMounts().some(({ target }) => target.startsWith(`${found.realPath}/`)))
      return source;
    const target = this.#place();
    mkdirSync(target);
    await this.#deps.mountSources.bind(found.realPath, target, { signal: this.#signal });
    return target;
  }

  /** A place of its own for what is at a subpath: later changes of the way there lead nowhere else. */
  async #below(base: string, subpath: string): Promise<Source> {
    const source = this.#place();
    const { mountSources } = this.#deps;
    return { source, found: await mountSources.bindBelow(base, subpath, source, { signal: this.#signal }) };
  }

  #place(): string {
    if (this.#count === 0) {
      this.#undo.add('unmount what a start has mounted', () => this.release());
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    }
    return join(this.#directory, String(this.#count++));
  }
}

function refuseConflicts({ mounts }: HostOptions): void {
  for (const { readOnly, bind } of mounts) {
    if (bind === undefined) continue;
    const { readOnlyNonRecursive: shallow, readOnlyForceRecursive: forced } = bind;
    const conflict =
      shallow && !readOnly
        ? '!ReadOnly && BindOptions.ReadOnlyNonRecursive'
        : forced && !readOnly
          ? '!ReadOnly && BindOptions.ReadOnlyForceRecursive'
          : shallow && forced
            ? 'ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive'
            : undefined;
    if (conflict !== undefined) throw new EngineError('invalid', `mount options conflict: ${conflict}`);
  }
}

/** Unmount and remove all that lies in the folder of one container's start; also what a killed daemon has left. Absent is fine. */
export async function dropMounts(directory: string): Promise<void> {
  const present = listMounts()
    .map(({ target }) => target)
    .filter((target) => target.startsWith(`${directory}/`));
  // None of them syncs: binds, and images, which nobody writes to.
  for (const target of present.reverse()) unmountIfMounted(target, { detach: true });
  await rm(directory, { recursive: true, force: true });
}
