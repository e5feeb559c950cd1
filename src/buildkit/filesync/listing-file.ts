import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { FileListing } from './file-receiver.ts';
import { PacketBatch, packetsOf } from './receive-protocol.ts';

/** What a directory holds since its last transfer, under a name that no other state of any directory has. */
export interface KnownListing {
  files: FileListing;
  version: string;
}

const TEXT = new TextDecoder();

/**
 * Take up what a directory holds since its last transfer. A listing is good for one: it's gone from here on, so that a transfer that breaks off
 * leaves none. Without a listing of this boot the directory is emptied, since what a power cut left of its files nobody knows.
 */
export function takeListing(directory: string, listing: string, bootId: string): KnownListing {
  const known = readListing(listing, bootId);
  rmSync(listing, { force: true });
  if (known === undefined) rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return known ?? { files: [], version: randomUUID() };
}

/** The first two packets are the boot's and the version's names. */
export function writeListing(listing: string, { files, version }: KnownListing, bootId: string): void {
  const batch = new PacketBatch();
  for (const packet of [Buffer.from(bootId), Buffer.from(version), ...files]) batch.add(packet);
  writeFileSync(listing, batch.take(), { mode: 0o600 });
}

function readListing(listing: string, bootId: string): KnownListing | undefined {
  try {
    const [boot, version, ...files] = packetsOf(readFileSync(listing));
    return boot !== undefined && version !== undefined && TEXT.decode(boot) === bootId
      ? { files, version: TEXT.decode(version) }
      : undefined;
  } catch {
    return undefined;
  }
}
