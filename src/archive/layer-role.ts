import { hostileArchive } from './archive-error.ts';
import type { LayerRole, TarEntry, Xattrs } from './entry.ts';

const whiteoutPrefix = '.wh.';
const metadataPrefix = '.wh..wh.';
const opaqueMarker = '.wh..wh..opq';

/**
 * What a layer's member means to the layers below (OCI image spec, "Whiteouts"). AUFS's own files at the top of the tree
 * (`.wh..wh.plnk`, `.wh..wh.aufs`, …) mean nothing, as for Docker and containerd.
 *
 * @throws EngineError "invalid" code archive-hostile for a whiteout of the directory itself, of `.` or of `..`.
 */
export function layerRole(entry: Pick<TarEntry, 'path'>): LayerRole {
  const { path } = entry;
  const slash = path.lastIndexOf('/');
  if (!path.startsWith(whiteoutPrefix, slash + 1)) return aufsRole(path);
  const name = path.slice(slash + 1);
  const directory = slash === -1 ? '' : path.slice(0, slash);
  if (name === opaqueMarker)
    return path.startsWith(metadataPrefix) && slash !== -1
      ? { role: 'ignored' }
      : { role: 'opaque', directory };
  if (path.startsWith(metadataPrefix)) return { role: 'ignored' };
  const removed = name.slice(whiteoutPrefix.length);
  if (removed === '' || removed === '.' || removed === '..')
    throw hostileArchive(path, 'whiteout of its own directory or the one above');
  return { role: 'whiteout', target: slash === -1 ? removed : `${directory}/${removed}` };
}

function aufsRole(path: string): LayerRole {
  return path.startsWith(metadataPrefix) ? { role: 'ignored' } : { role: 'node' };
}

const withoutOverlay = new WeakMap<Xattrs, Xattrs>();

/** The xattrs that a layer may set: overlayfs's own would let a tar rewrite the stack. One map gives one map. */
export function layerXattrs(xattrs: Xattrs): Xattrs {
  let kept = withoutOverlay.get(xattrs);
  if (kept !== undefined) return kept;
  for (const name of xattrs.keys()) {
    if (!isOverlayOwn(name)) continue;
    kept = new Map([...xattrs].filter(([key]) => !isOverlayOwn(key)));
    withoutOverlay.set(xattrs, kept);
    return kept;
  }
  return xattrs;
}

function isOverlayOwn(name: string): boolean {
  return name.startsWith('trusted.overlay.');
}
