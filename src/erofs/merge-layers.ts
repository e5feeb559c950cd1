import { layerXattrs } from '../archive/layer-role.ts';
import { XattrSets } from '../archive/xattr-sets.ts';
import type { ErofsImageReader, Inode } from './image-reader.ts';
import type { ErofsNode } from './node.ts';
import { impliedDirectory, isWhiteout } from './node.ts';

/** A layer to be merged; its devices follow those of the layers before it in the merged image's table. */
export interface MergeSource {
  index: ErofsImageReader;
  /** Number of its data devices. */
  devices: number;
}

interface Place {
  layer: number;
  inode: Inode;
}

const opaqueXattr = 'trusted.overlay.opaque';

/**
 * The tree that overlayfs would show of `layers` (top first), to be written as one image over all their tars: whiteouts and opaque marks
 * are resolved, hard links of one layer stay links. Without layers below it means the same alone.
 */
export function mergeLayers(layers: readonly MergeSource[]): ErofsNode {
  return new Merge(layers).run();
}

class Merge {
  readonly #layers: readonly MergeSource[];
  /** First device of each layer in the merged table. */
  readonly #deviceBase: number[] = [];
  /** Nodes with several names, by layer and inode number. */
  readonly #linked: Map<number, ErofsNode>[];
  readonly #xattrs = new XattrSets();

  constructor(layers: readonly MergeSource[]) {
    this.#layers = layers;
    this.#linked = layers.map(() => new Map<number, ErofsNode>());
    let base = 0;
    for (const { devices } of layers) {
      this.#deviceBase.push(base);
      base += devices;
    }
  }

  run(): ErofsNode {
    const roots = this.#layers.map(({ index }, layer) => ({ layer, inode: index.inode(index.rootNid) }));
    const root = roots[0] === undefined ? impliedDirectory() : this.#node(roots[0]);
    const todo = [{ node: root, places: roots }];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      for (const [name, places] of this.#entries(next.places)) {
        const [top] = places;
        if (top === undefined) continue;
        const child = top.known ?? this.#node(top);
        next.node.children?.set(name, child);
        if (child.children !== undefined) todo.push({ node: child, places });
      }
    }
    return root;
  }

  /** What each name of a merged directory is made of, topmost first; nothing for what a whiteout removes. */
  #entries(directories: readonly Place[]): Map<string, (Place & { known?: ErofsNode | undefined })[]> {
    const found = new Map<string, (Place & { known?: ErofsNode | undefined })[]>();
    const closed = new Set<string>();
    for (const { layer, inode } of directories) {
      const index = this.#layers[layer]?.index;
      if (index === undefined) continue;
      for (const { name, nid } of index.entries(inode)) {
        if (closed.has(name)) continue;
        const child = index.inode(nid);
        const places = found.get(name) ?? [];
        if (child.type === 'directory') {
          if (places.length === 0) found.set(name, places);
          places.push({ layer, inode: child });
          if (child.xattrBytes > 0 && index.xattrs(child).has(opaqueXattr)) closed.add(name);
          continue;
        }
        closed.add(name);
        if (places.length > 0 || this.#isRemoval(layer, child)) continue;
        found.set(name, [{ layer, inode: child, known: this.#link(layer, nid, child) }]);
      }
    }
    return found;
  }

  #link(layer: number, nid: number, inode: Inode): ErofsNode | undefined {
    if (inode.links < 2) return undefined;
    const known = this.#linked[layer]?.get(nid);
    if (known !== undefined) return known;
    const node = this.#node({ layer, inode });
    this.#linked[layer]?.set(nid, node);
    return node;
  }

  #isRemoval(layer: number, inode: Inode): boolean {
    if (inode.type !== 'char') return false;
    const device = this.#layers[layer]?.index.deviceNumber(inode);
    return isWhiteout({
      type: 'char',
      deviceMajor: device?.major ?? 0,
      deviceMinor: device?.minor ?? 0,
    });
  }

  #node({ layer, inode }: Place): ErofsNode {
    const index = this.#layers[layer]?.index;
    if (index === undefined) return impliedDirectory();
    const special = inode.type === 'char' || inode.type === 'block';
    const device = special ? index.deviceNumber(inode) : { major: 0, minor: 0 };
    const extent = index.extent(inode);
    const { type, mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = inode;
    return {
      type,
      mode,
      uid,
      gid,
      mtimeSeconds,
      mtimeNanoseconds,
      size: type === 'file' ? inode.size : 0,
      extent: extent && { ...extent, device: extent.device + (this.#deviceBase[layer] ?? 0) },
      linkTarget: type === 'symlink' ? index.linkTarget(inode) : '',
      deviceMajor: device.major,
      deviceMinor: device.minor,
      xattrs: this.#xattrs.share(layerXattrs(index.xattrs(inode))),
      children: type === 'directory' ? new Map() : undefined,
      implied: false,
      opaque: false,
    };
  }
}
