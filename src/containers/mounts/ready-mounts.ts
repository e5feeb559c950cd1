import { closeSync, fstatSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf, messageOf } from '../../errors/engine-error.ts';
import { bindMount, listMounts, unmountIfMounted } from '../../sys/mount.ts';
import type { HostOptions } from '../container.ts';
import type { ContainerRecord } from '../container-record.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { UndoStack } from '../undo.ts';
import { imageMountKey } from './image-mounts.ts';
import { cleanPath } from './mount-mode.ts';
import type { BindPoint, ImagePoint, MountPoint, VolumePoint } from './mount-point.ts';
import { openSubpath } from './open-subpath.ts';

/** A mount whose source is there. */
export interface ReadyMount {
  point: MountPoint;
  /** Path on the host, '' for a tmpfs. Good until the container's own mounts are made. */
  source: string;
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
  undo: UndoStack,
): Promise<ReadyMounts> {
  refuseConflicts(record.host);
  const hidden = new Set(Object.keys(record.host.tmpfs).map(cleanPath));
  const points = record.mounts.filter(({ destination }) => !hidden.has(destination));
  const start = new MountStart(record, deps, undo);
  const mounts: ReadyMount[] = [];
  for (const point of points) mounts.push({ point, source: await start.sourceOf(point) });
  return { mounts, release: () => start.release() };
}

class MountStart {
  readonly #record: ContainerRecord;
  readonly #deps: ContainerDependencies;
  readonly #undo: UndoStack;
  readonly #directory: string;
  #count = 0;

  constructor(record: ContainerRecord, deps: ContainerDependencies, undo: UndoStack) {
    this.#record = record;
    this.#deps = deps;
    this.#undo = undo;
    this.#directory = deps.paths.mounts(record.id);
  }

  async sourceOf(point: MountPoint): Promise<string> {
    switch (point.type) {
      case 'bind':
        if (point.createSource) await makeSource(point);
        return point.nonRecursive ? this.#alone(point.source) : point.source;
      case 'volume':
        return await this.#volume(point);
      case 'image':
        return await this.#image(point);
      case 'tmpfs':
        return '';
    }
  }

  async release(): Promise<void> {
    if (this.#count === 0) return;
    await dropMounts(this.#directory);
    this.#count = 0;
  }

  async #volume({ name, device, subpath }: VolumePoint): Promise<string> {
    const { volumes } = this.#deps;
    if (device) {
      const volume = await volumes.get(name);
      if (volume === undefined) throw new EngineError('not-found', `get ${name}: no such volume`);
      this.#undo.add('let go of a volume', () => volumes.unmount(name, this.#record.id));
      await volumes.mount(volume, this.#record.id);
    }
    const path = volumes.path(name);
    return subpath === '' ? path : this.#below(path, subpath);
  }

  async #image(point: ImagePoint): Promise<string> {
    const target = this.#place();
    mkdirSync(target);
    await this.#deps.snapshotter.mount(imageMountKey(this.#record, point), target, {
      readonly: true,
      volatile: true,
    });
    return point.subpath === '' ? target : this.#below(target, point.subpath);
  }

  /** crun (1.8) takes along what is mounted below a source, asked for or not: of a copy there is nothing. */
  #alone(source: string): string {
    const path = realPath(source);
    if (path === undefined || !listMounts().some(({ target }) => target.startsWith(`${path}/`)))
      return source;
    const target = this.#place();
    mkdirSync(target);
    bindMount(path, target);
    return target;
  }

  /** A place of its own for what is at a subpath: later changes of the way there lead nowhere else. */
  #below(base: string, subpath: string): string {
    const found = openSubpath(base, subpath);
    try {
      const target = this.#place();
      if (fstatSync(found).isDirectory()) mkdirSync(target);
      else writeFileSync(target, '', { flag: 'wx' });
      bindMount(`/proc/self/fd/${found}`, target, { recursive: true });
      return target;
    } finally {
      closeSync(found);
    }
  }

  #place(): string {
    if (this.#count === 0) {
      this.#undo.add('unmount what a start has mounted', () => this.release());
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    }
    return join(this.#directory, String(this.#count++));
  }
}

/** Undefined where nothing is. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** As `docker run -v` does: a source that is not there becomes a directory. */
async function makeSource({ source }: BindPoint): Promise<void> {
  try {
    await stat(source);
  } catch (error) {
    try {
      if (errnoCodeOf(error) !== 'ENOENT') throw error;
      await mkdir(source, { recursive: true, mode: 0o755 });
    } catch (reason) {
      throw new EngineError(
        'invalid',
        `error while creating mount source path '${source}': ${messageOf(reason)}`,
        { cause: reason },
      );
    }
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
