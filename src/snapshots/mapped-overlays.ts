import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { mountMapped } from '../sys/detached-mount.ts';
import { type IdMap, withHostRoot } from '../sys/id-map.ts';
import { mountOverlay, type OverlayMount, unmountIfMounted } from '../sys/mount.ts';
import { UserNamespaces } from '../sys/user-namespaces.ts';

export interface MappedOverlay extends Omit<OverlayMount, 'writable'> {
  /** Has `upper` and `work`. */
  snapshot: string;
  key: string;
}

/**
 * Overlays whose files belong to ids of a user namespace. overlayfs itself can't be mounted so (it has no FS_ALLOW_IDMAP), but takes layers that
 * are, the written one too: what is on disk always has the ids that the container sees. The mapped copies are attached for as long as the overlay is
 * being made, which keeps copies of its own; so nothing else ever meets them. All of it blocks, some 0.05 ms and as much for each layer.
 */
export class MappedOverlays {
  /** Where snapshots' copies are attached: an overlay tells by its upper directory whose it is. */
  readonly #snapshots: string;
  readonly #layers: string;
  readonly #namespaces = new UserNamespaces();

  /** `root`: the snapshotter's, whose mounts nobody else sees. */
  constructor(root: string) {
    this.#snapshots = join(root, 'mapped');
    this.#layers = join(root, 'mapped-layers');
  }

  /** @throws SyscallError where the kernel or a layer's file system can't; nothing is left. */
  mount({ snapshot, key, lowers, ...overlay }: MappedOverlay, map: IdMap): void {
    const own = join(this.#snapshots, key);
    const attached: string[] = [];
    const attach = (from: string, to: string, ids: IdMap): string => {
      mkdirSync(to, { recursive: true, mode: 0o700 });
      mountMapped(from, to, this.#namespaces.of(ids));
      attached.push(to);
      return to;
    };
    try {
      attach(snapshot, own, withHostRoot(map));
      const mapped = lowers.map((lower, at) => attach(lower, join(this.#layers, String(at)), map));
      const writable = { upper: join(own, 'upper'), work: join(own, 'work') };
      mountOverlay({ ...overlay, lowers: mapped, writable });
    } finally {
      for (const place of attached.reverse()) unmountIfMounted(place, { detach: true });
      removeEmpty(own);
    }
  }

  /** The snapshot that an overlay's upper directory belongs to, when it is one of these. */
  keyOf(upper: string): string | undefined {
    const [prefix, suffix] = [`${this.#snapshots}/`, '/upper'];
    if (!upper.startsWith(prefix) || !upper.endsWith(suffix)) return undefined;
    return upper.slice(prefix.length, -suffix.length);
  }

  /** Take away what a process that died in the midst of `mount` has left. */
  recover(): void {
    for (const folder of [this.#snapshots, this.#layers]) {
      for (const name of namesIn(folder)) {
        const place = join(folder, name);
        while (unmountIfMounted(place, { detach: true }));
        removeEmpty(place);
      }
    }
  }

  close(): void {
    this.#namespaces.close();
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Never made, or another has it for the moment.
  }
}
