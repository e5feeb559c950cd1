import { realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { BuildClient } from '../../../client/build-client.ts';
import { hasMountBelow } from '../../../sys/mounts-below.ts';
import type { LocalDirectoryJson } from '../../../wire/build.ts';
import type { Part } from './body-parts.ts';

/** A part of the build's body that is a directory's archive. */
export interface ContextPart extends Part {
  /** Absent: it came as an archive. */
  directory?: { root: string; ignore: readonly string[] };
}

/**
 * The same parts, with a claim in the place of the archive where daemon and client may be seeing the same directory: the daemon decides, and reads it where it
 * lies. Undefined: nothing can be claimed.
 */
export async function claimDirectories(
  parts: readonly ContextPart[],
  client: BuildClient,
): Promise<Part[] | undefined> {
  const isWorth = parts.some(({ directory }) => directory !== undefined);
  // Only root can show that it may read what the daemon can.
  if (!isWorth || process.geteuid?.() !== 0) return undefined;
  try {
    const proof = await readFile(await client.localProof(), 'utf8');
    return parts.map((part) => claimed(part, proof));
  } catch {
    // Another daemon, or one elsewhere: archives do for all.
    return undefined;
  }
}

function claimed({ name, data, directory }: ContextPart, proof: string): Part {
  if (directory === undefined) return { name, data };
  const path = realpathSync(directory.root);
  if (!path.isWellFormed() || path.includes('\ufffd') || hasMountBelow(path)) return { name, data };
  const { dev, ino, birthtimeNs } = statSync(path, { bigint: true });
  const claim: LocalDirectoryJson = {
    path,
    proof,
    device: String(dev),
    inode: String(ino),
    birthNs: String(birthtimeNs),
    ignore: [...directory.ignore],
  };
  return { name: name.replace(/^context:/, 'directory:'), data: [Buffer.from(JSON.stringify(claim))] };
}
