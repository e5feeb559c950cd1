import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { anonymousName } from '../../volumes/volume-name.ts';
import type { NewVolume } from '../../volumes/volumes.ts';
import type { ContainerConfig, ContainerImage, HostOptions } from '../container.ts';
import { cleanPath, propagationOf } from './mount-mode.ts';
import type { BindPoint, MountPoint, MountRequest, VolumePoint } from './mount-point.ts';
import { nearOwnRoot } from './own-root.ts';
import { parseBind, type VolumeBind } from './parse-bind.ts';
import { checkMount, type SourceFaults, tmpfsWords } from './parse-mount.ts';
import { parseVolumesFrom } from './parse-volumes-from.ts';

/** What a new container is to have mounted, before anything is made for it. */
export interface MountPlan {
  /** Each destination once, in the order of what asks for them. */
  points: MountPoint[];
  /** Volumes that are made where they are not there, by name; a container's others must be. */
  volumes: Map<string, NewVolume>;
  /** Volumes that take over what the image has in their place, when they are empty. `declared`: by image or `-v /place`. */
  copies: Map<string, { declared: boolean }>;
}

export interface MountSources {
  /** What a container has, running or not. @throws EngineError "not-found". */
  mountsOf(nameOrId: string): readonly MountPoint[];
  /** Images that `image` mounts name, each resolved already. */
  images: ReadonlyMap<string, ContainerImage>;
  /** Sources of binds that were looked for in vain. */
  faults: SourceFaults;
  /** Of the engine; undefined: no bind comes near it. */
  dataRoot?: string | undefined;
}

type Asked = Pick<HostOptions, 'binds' | 'mounts' | 'tmpfs' | 'volumesFrom' | 'volumeDriver'>;

/**
 * Merge what image and user want mounted, in Docker's order: other containers' mounts give way to binds, those to nothing; a volume that is only
 * declared gives way to all.
 *
 * @throws EngineError "invalid" in Docker's words.
 */
export function planMounts(
  config: Pick<ContainerConfig, 'volumes'>,
  host: Asked,
  sources: MountSources,
): MountPlan {
  const points = new Map<string, MountPoint>();
  const plan: MountPlan = { points: [], volumes: new Map(), copies: new Map() };
  const asked = new Set<string>();
  const place = (point: MountPoint, shown: string, taken: ReadonlySet<string> = asked): void => {
    if (taken.has(point.destination)) throw new EngineError('invalid', `Duplicate mount point: ${shown}`);
    asked.add(point.destination);
    points.set(point.destination, point);
  };
  for (const point of host.volumesFrom.flatMap((text) => mountsFrom(text, sources)))
    points.set(point.destination, point);
  const tmpfs = new Set(Object.keys(host.tmpfs).map(cleanPath));
  for (const text of host.binds) {
    const bind = parseBind(text);
    const point =
      bind.type === 'bind'
        ? nearOwnRoot(bind, propagationOf(bind.mode), sources.dataRoot)
        : namedVolume(plan, bind, host.volumeDriver);
    place(point, point.destination, asked.union(tmpfs));
  }
  for (const mount of host.mounts) place(mountOf(plan, mount, sources), mount.target);
  const taken = new Set([...points.keys(), ...tmpfs]);
  for (const destination of declaredPlaces(config.volumes, taken)) {
    const point = addVolume(plan, { driver: host.volumeDriver }, { destination, mode: '' });
    plan.copies.set(destination, { declared: true });
    points.set(destination, point);
  }
  for (const destination of plan.copies.keys())
    if (points.get(destination)?.type !== 'volume') plan.copies.delete(destination);
  plan.points = [...points.values()];
  return plan;
}

function mountsFrom(text: string, sources: MountSources): MountPoint[] {
  const { container, readOnly } = parseVolumesFrom(text);
  let mounts: readonly MountPoint[];
  try {
    mounts = sources.mountsOf(container);
  } catch (error) {
    throw new EngineError('invalid', messageOf(error), { cause: error });
  }
  return mounts.map((point) => ({ ...point, mode: '', readWrite: point.readWrite && !readOnly }));
}

function namedVolume(plan: MountPlan, bind: VolumeBind, driver: string): VolumePoint {
  const { name, destination, noCopy } = bind;
  if (!noCopy) plan.copies.set(destination, { declared: false });
  const volume = { driver, ...(name === '' ? {} : { name }) };
  return addVolume(plan, volume, { ...bind, mode: bind.mode || 'z' });
}

function mountOf(plan: MountPlan, mount: MountRequest, sources: MountSources): MountPoint {
  checkMount(mount, sources.faults);
  const placed = { destination: cleanPath(mount.target), readWrite: !mount.readOnly, mode: '' };
  switch (mount.type) {
    case 'bind':
      return nearOwnRoot(bindOf(mount, placed), mount.bind?.propagation || undefined, sources.dataRoot);
    case 'tmpfs':
      return { type: 'tmpfs', ...placed, options: tmpfsWords(mount) };
    case 'image': {
      const image = sources.images.get(mount.source);
      if (image === undefined) throw new EngineError('not-found', `No such image: ${mount.source}`);
      const subpath = mount.image?.subpath ?? '';
      return { type: 'image', ...placed, readWrite: false, name: mount.source, image, subpath };
    }
    default:
      return volumeOf(plan, mount, placed);
  }
}

type Placed = Pick<BindPoint, 'destination' | 'readWrite' | 'mode'>;

function bindOf({ source, bind }: MountRequest, placed: Placed): BindPoint {
  const readOnlyBelow =
    bind?.readOnlyForceRecursive === true ? 'always' : bind?.readOnlyNonRecursive === true ? 'never' : 'try';
  return {
    type: 'bind',
    source: cleanPath(source),
    ...placed,
    propagation: bind?.propagation || 'rprivate',
    createSource: bind?.createMountpoint === true,
    nonRecursive: bind?.nonRecursive === true,
    readOnlyBelow,
  };
}

function volumeOf(plan: MountPlan, { source, volume }: MountRequest, placed: Placed): VolumePoint {
  const subpath = volume?.subpath ?? '';
  if (volume?.noCopy !== true && subpath === '') plan.copies.set(placed.destination, { declared: false });
  const wanted: NewVolume = {
    ...(source === '' ? {} : { name: source }),
    driver: volume?.driver?.name,
    options: volume?.driver?.options,
    labels: volume?.labels,
  };
  return { ...addVolume(plan, wanted, { ...placed, mode: 'z' }), subpath };
}

/** One name stands for one volume, whatever else is said of it the second time. */
function addVolume(
  plan: MountPlan,
  wanted: NewVolume,
  placed: { destination: string; mode: string; readWrite?: boolean },
): VolumePoint {
  const anonymous = wanted.name === undefined;
  const name = wanted.name ?? anonymousName();
  if (!plan.volumes.has(name)) plan.volumes.set(name, { ...wanted, name, anonymous });
  const { destination, mode, readWrite = true } = placed;
  return { type: 'volume', name, anonymous, device: false, destination, readWrite, mode, subpath: '' };
}

/** Where image or user want a volume without a name, made plain, parents first. @throws EngineError "invalid". */
function declaredPlaces(volumes: readonly string[], taken: ReadonlySet<string>): string[] {
  const bad = volumes.find((text) => text.includes('\0'));
  if (bad !== undefined)
    throw new EngineError('invalid', `invalid volume specification: ${JSON.stringify(bad)}`);
  const places = new Set(volumes.map((text) => cleanPath(`/${text}`)));
  if (places.has('/'))
    throw new EngineError('invalid', "invalid volume specification: '/': destination can't be '/'");
  return [...places].filter((place) => !taken.has(place)).sort();
}
