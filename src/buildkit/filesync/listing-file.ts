import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { FileListing } from './file-receiver.ts';

/**
 * Take up what a directory holds since its last transfer. A listing is good for one: it's gone from here on, so that a transfer that breaks off
 * leaves none. Without a listing of this boot the directory is emptied, since what a power cut left of its files nobody knows.
 */
export function takeListing(directory: string, listing: string, bootId: string): FileListing {
  const present = readListing(listing, bootId);
  rmSync(listing, { force: true });
  if (present === undefined) rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return present ?? new Map();
}

export function writeListing(listing: string, present: FileListing, bootId: string): void {
  writeFileSync(listing, JSON.stringify({ bootId, files: [...present] }), { mode: 0o600 });
}

function readListing(listing: string, bootId: string): FileListing | undefined {
  try {
    const read = JSON.parse(readFileSync(listing, 'utf8')) as { bootId: string; files: [string, string][] };
    return read.bootId === bootId ? new Map(read.files) : undefined;
  } catch {
    return undefined;
  }
}
