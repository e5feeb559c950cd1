import { layerXattrs } from '../archive/layer-role.ts';
import type { NodeAttributes, Tree } from '../archive/tree.ts';
import { EngineError } from '../errors/engine-error.ts';
import type { ErofsImageReader, Inode } from './image-reader.ts';
import { sortNames } from './inode-plan.ts';
import { isWhiteout } from './node.ts';

/** One layer of a stack: its index and a way to its content. */
export interface IndexedLayer {
  index: ErofsImageReader;
  /** `length` bytes at `start` of data device `device`. */
  open(device: number, start: number, length: number): ReadableStream<Uint8Array>;
}

interface Place {
  layer: IndexedLayer;
  inode: Inode;
}

const opaqueXattr = 'trusted.overlay.opaque';
const maxCachedDirectories = 512;

/**
 * What overlayfs shows of layers, top first, without a mount: whiteouts remove, opaque directories hide, directories merge and take
 * their attributes from the topmost. One layer alone is a stack as well.
 */
export class StackTree implements Tree {
  readonly #layers: readonly IndexedLayer[];
  readonly #onClose: () => void;
  /** Directories seen, by path: walks ask for the same parents over and over. */
  readonly #directories = new Map<string, Place[]>();

  constructor(layers: readonly IndexedLayer[], onClose: () => void = () => undefined) {
    this.#layers = layers;
    this.#onClose = onClose;
  }

  async lookup(path: string): Promise<NodeAttributes | undefined> {
    const place = this.#places(path)[0];
    return place === undefined ? undefined : inodeAttributes(place.layer.index, place.inode);
  }

  async list(path: string): Promise<string[] | undefined> {
    const places = this.#places(path);
    if (places[0]?.inode.type !== 'directory') return undefined;
    const shown = new Map<string, boolean>();
    for (const { layer, inode } of places) {
      for (const { name, nid, type } of layer.index.entries(inode)) {
        if (shown.has(name)) continue;
        shown.set(name, type !== 'char' || !isRemoval(layer.index, layer.index.inode(nid)));
      }
    }
    return sortNames([...shown].filter(([, there]) => there).map(([name]) => name));
  }

  read(path: string): ReadableStream<Uint8Array> {
    const place = this.#places(path)[0];
    if (place === undefined) throw new EngineError('not-found', `No such file: ${JSON.stringify(path)}`);
    if (place.inode.type !== 'file')
      throw new EngineError('invalid', `Cannot read ${JSON.stringify(path)}: not a regular file`);
    const extent = place.layer.index.extent(place.inode);
    if (extent === undefined) return new Blob([]).stream();
    return place.layer.open(extent.device, extent.block * 512, place.inode.size);
  }

  async close(): Promise<void> {
    this.#directories.clear();
    this.#onClose();
  }

  /** The nodes that make up `path`, topmost first: several for a merged directory, one for anything else, none where nothing is. */
  #places(path: string): Place[] {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const places = path === '' ? this.#roots() : this.#below(path, slash);
    if (places[0]?.inode.type === 'directory') this.#remember(path, places);
    return places;
  }

  #roots(): Place[] {
    return this.#layers.map((layer) => ({ layer, inode: layer.index.inode(layer.index.rootNid) }));
  }

  /** Walks down from the nearest directory that is known. */
  #below(path: string, slash: number): Place[] {
    let start = slash;
    while (start > 0 && !this.#directories.has(path.slice(0, start)))
      start = path.lastIndexOf('/', start - 1);
    const base = start > 0 ? path.slice(0, start) : '';
    let places = this.#directories.get(base) ?? this.#roots();
    let at = start > 0 ? start + 1 : 0;
    while (at <= path.length && places.length > 0) {
      const next = path.indexOf('/', at);
      const end = next === -1 ? path.length : next;
      places = step(places, path.slice(at, end));
      if (end < path.length && places[0]?.inode.type === 'directory')
        this.#remember(path.slice(0, end), places);
      at = end + 1;
    }
    return places;
  }

  #remember(path: string, places: Place[]): void {
    if (this.#directories.size >= maxCachedDirectories) this.#directories.clear();
    this.#directories.set(path, places);
  }
}

function step(parents: readonly Place[], name: string): Place[] {
  const found: Place[] = [];
  for (const { layer, inode } of parents) {
    if (inode.type !== 'directory') break;
    const entry = layer.index.child(inode, name);
    if (entry === undefined) continue;
    const child = layer.index.inode(entry.nid);
    if (child.type !== 'directory') {
      if (found.length === 0 && !isRemoval(layer.index, child)) found.push({ layer, inode: child });
      break;
    }
    found.push({ layer, inode: child });
    if (isOpaque(layer.index, child)) break;
  }
  return found;
}

/** Whether a node of one layer hides what lower layers have at its place. */
export function isRemoval(index: ErofsImageReader, inode: Inode): boolean {
  if (inode.type !== 'char') return false;
  const { major, minor } = index.deviceNumber(inode);
  return isWhiteout({ type: 'char', deviceMajor: major, deviceMinor: minor });
}

/** Whether a directory of one layer hides what lower layers have in it. */
export function isOpaque(index: ErofsImageReader, directory: Inode): boolean {
  return directory.xattrBytes > 0 && index.xattrs(directory).has(opaqueXattr);
}

export function inodeAttributes(index: ErofsImageReader, inode: Inode): NodeAttributes {
  const { type, mode, uid, gid, mtimeSeconds, mtimeNanoseconds, links } = inode;
  const sized = type === 'file' || type === 'symlink';
  const attributes: NodeAttributes = {
    type,
    mode,
    uid,
    gid,
    mtimeSeconds,
    mtimeNanoseconds,
    size: sized ? inode.size : 0,
    links,
    xattrs: layerXattrs(index.xattrs(inode)),
  };
  if (type === 'symlink') attributes.linkTarget = index.linkTarget(inode);
  if (type === 'char' || type === 'block') {
    const { major, minor } = index.deviceNumber(inode);
    attributes.deviceMajor = major;
    attributes.deviceMinor = minor;
  }
  return attributes;
}
