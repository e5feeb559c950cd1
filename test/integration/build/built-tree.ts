import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { TarEntry } from '../../../src/archive/entry.ts';
import { TarReader } from '../../../src/archive/tar-reader.ts';

/** One path of an image's root, as the recordings of Docker's have it. */
export interface BuiltNode {
  type: string;
  mode: string;
  owner: string;
  link?: string;
  /** First digits of the content's SHA-256, `busybox` for that program. */
  content?: string;
  device?: string;
  /** Base64 by name. */
  xattrs?: Record<string, string>;
}

export interface SavedImage {
  config: Record<string, unknown>;
  tree: Map<string, BuiltNode>;
}

/** An unpacked `docker save`: its config without times, and what its layers make together. */
export function readSavedImage(folder: string, busyboxDigest: string): SavedImage {
  const [image] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    Config: string;
    Layers: string[];
  }[];
  if (image === undefined) throw new Error('No image in the archive');
  const config = JSON.parse(readFileSync(join(folder, image.Config), 'utf8')) as Record<string, unknown>;
  const tree = new Map<string, BuiltNode>();
  for (const layer of image.Layers) apply(plain(readFileSync(join(folder, layer))), tree, busyboxDigest);
  tree.delete('');
  const history = (config['history'] as Record<string, unknown>[]).map(({ created: _, ...entry }) => entry);
  const { created: _, rootfs, ...rest } = config;
  const layers = (rootfs as { diff_ids: string[] }).diff_ids.length;
  return { config: { ...rest, history, rootfs: { n: layers } }, tree };
}

function plain(bytes: Buffer): Buffer {
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
}

function apply(layer: Uint8Array, tree: Map<string, BuiltNode>, busyboxDigest: string): void {
  let current: { entry: TarEntry; hash: ReturnType<typeof createHash> } | undefined;
  const below = (path: string): string[] => [...tree.keys()].filter((key) => key.startsWith(`${path}/`));
  const reader = new TarReader({
    entry: (entry) => {
      current = { entry, hash: createHash('sha256') };
    },
    data: (chunk) => current?.hash.update(chunk),
    endEntry: () => {
      if (current === undefined) return;
      const { entry, hash } = current;
      const { path } = entry;
      const name = path.slice(path.lastIndexOf('/') + 1);
      const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      if (name === '.wh..wh..opq') for (const key of below(folder)) tree.delete(key);
      else if (name.startsWith('.wh.')) {
        const gone = folder === '' ? name.slice(4) : `${folder}/${name.slice(4)}`;
        for (const key of [gone, ...below(gone)]) tree.delete(key);
      } else if (entry.type === 'hardlink') {
        const linked = tree.get(entry.linkTarget ?? '');
        if (linked !== undefined) tree.set(path, linked);
      } else {
        if (entry.type !== 'directory') for (const key of below(path)) tree.delete(key);
        tree.set(path, nodeOf(entry, hash.digest('hex').slice(0, 12), busyboxDigest));
      }
    },
  });
  reader.write(layer);
  reader.finish();
}

function nodeOf(entry: TarEntry, digest: string, busyboxDigest: string): BuiltNode {
  const { type, mode, uid, gid, linkTarget, deviceMajor, deviceMinor, xattrs } = entry;
  const isDevice = type === 'char' || type === 'block';
  return {
    type,
    mode: (mode & 0o7777).toString(8),
    owner: `${uid}:${gid}`,
    ...(type === 'symlink' ? { link: linkTarget ?? '' } : {}),
    ...(type === 'file' ? { content: digest === busyboxDigest ? 'busybox' : digest } : {}),
    ...(isDevice ? { device: `${deviceMajor}:${deviceMinor}` } : {}),
    ...(xattrs.size === 0 ? {} : { xattrs: attributesOf(xattrs) }),
  };
}

function attributesOf(xattrs: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  const sorted = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
}

/** What `tree` has otherwise than `base`; null: no more. */
export function treeChanges(
  base: ReadonlyMap<string, BuiltNode>,
  tree: ReadonlyMap<string, BuiltNode>,
): Record<string, BuiltNode | null> {
  const changes: Record<string, BuiltNode | null> = {};
  for (const [path, node] of tree)
    if (JSON.stringify(base.get(path)) !== JSON.stringify(node)) changes[path] = node;
  for (const path of base.keys()) if (!tree.has(path)) changes[path] = null;
  return changes;
}
