import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParsedFlags } from '../../cli/flags/flag-set.ts';
import { alignColumns } from '../../cli/output/align-columns.ts';
import { humanSize } from '../../cli/output/human-size.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import { linksOf, MAX_MANIFEST_BYTES } from '../../registry/server/manifest.ts';
import type { RepositoryIndex } from '../../registry/server/repository-index.ts';
import { type RegistryRoot, readRegistryRoot } from './registry-root.ts';

interface Row {
  repository: string;
  /** Undefined: a manifest without a tag. */
  tag: string | undefined;
  digest: Digest;
  /** The manifest and all that it names, as far as it is here. */
  sizeBytes: number;
  cached: boolean;
}

/** Print what is in a registry's folder. */
export async function listRegistry(flags: ParsedFlags, write: (text: string) => void): Promise<void> {
  const format = flags.string('format');
  if (format !== 'table' && format !== 'json')
    throw new EngineError('invalid', `unknown format ${JSON.stringify(format)}: expected table or json`);
  const root = await openExisting(flags.string('root'));
  const [wanted] = flags.args;
  const rows = [
    ...(await rowsOf(root, root.pushed, { wanted, cached: false })),
    ...(await rowsOf(root, root.cached, { wanted, cached: true })),
  ];
  if (wanted !== undefined && rows.length === 0)
    throw new EngineError('not-found', `No such repository: ${wanted}`);
  if (flags.bool('quiet')) return write([...new Set(rows.map(nameOf))].map((name) => `${name}\n`).join(''));
  if (format === 'json') return write(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const lines = rows.map(({ repository, tag = '<none>', digest, sizeBytes, cached }) =>
    [repository, tag, digest.slice(7, 19), humanSize(sizeBytes, 3), cached ? 'cached' : 'pushed'].join('\t'),
  );
  write(alignColumns(['REPOSITORY\tTAG\tDIGEST\tSIZE\tORIGIN', ...lines]));
}

async function openExisting(path: string): Promise<RegistryRoot> {
  try {
    // Looking makes nothing.
    await stat(join(path, 'content'));
    return await readRegistryRoot(path);
  } catch (error) {
    throw new EngineError('not-found', `Cannot read the registry in ${path}: ${messageOf(error)}`);
  }
}

async function rowsOf(
  root: RegistryRoot,
  index: RepositoryIndex,
  { wanted, cached }: { wanted: string | undefined; cached: boolean },
): Promise<Row[]> {
  const rows: Row[] = [];
  const names = index.names().filter((name) => wanted === undefined || name === wanted);
  for (const repository of names.toSorted()) {
    const { tags, manifests } = index.repository(repository) ?? { tags: new Map(), manifests: new Map() };
    const tagged = [...tags].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const named = new Set(await childrenOf(root, [...tags.values()]));
    const loose = [...manifests.keys()].filter((digest) => !named.has(digest));
    for (const [tag, digest] of [
      ...tagged,
      ...loose.map((digest): [undefined, Digest] => [undefined, digest]),
    ])
      rows.push({ repository, tag, digest, sizeBytes: await sizeOf(root, digest), cached });
  }
  return rows;
}

/** The digests themselves and, below indexes, what those name. */
async function childrenOf(root: RegistryRoot, digests: readonly Digest[], depth = 0): Promise<Digest[]> {
  const below = await Promise.all(
    digests.map(async (digest) => {
      const children = (await linksIn(root, digest)).manifests.map((link) => link.digest);
      return depth < 4 ? childrenOf(root, children, depth + 1) : children;
    }),
  );
  return [...digests, ...below.flat()];
}

async function sizeOf(root: RegistryRoot, digest: Digest): Promise<number> {
  const manifests = new Set(await childrenOf(root, [digest]));
  const blobs = new Set<Digest>(manifests);
  for (const manifest of manifests)
    for (const link of (await linksIn(root, manifest)).blobs) blobs.add(link.digest);
  let bytes = 0;
  for (const blob of blobs) bytes += (await root.content.size(blob)) ?? 0;
  return bytes;
}

async function linksIn(root: RegistryRoot, digest: Digest): Promise<ReturnType<typeof linksOf>> {
  try {
    return linksOf(await root.content.read(digest, { maxBytes: MAX_MANIFEST_BYTES }));
  } catch {
    // Absent platforms of an index, and what is damaged: no part of the size.
    return { blobs: [], manifests: [] };
  }
}

function nameOf({ repository, tag, digest }: Row): string {
  return tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`;
}
