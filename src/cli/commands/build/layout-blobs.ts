import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../../errors/engine-error.ts';
import { algorithmOf, type Digest, hexOf, isDigest } from '../../../oci/digest.ts';

/** Where a blob of an OCI layout is. @throws EngineError "invalid" for what is no digest, and could be a path to anything. */
export function blobPath(directory: string, digest: string): string {
  if (!isDigest(digest)) throw new EngineError('invalid', `invalid digest ${JSON.stringify(digest)}`);
  return join(directory, 'blobs', algorithmOf(digest), hexOf(digest));
}

/** Undefined: it isn't there. */
export async function blobSize(directory: string, digest: string): Promise<number | undefined> {
  try {
    const info = await stat(blobPath(directory, digest));
    return info.isFile() ? info.size : undefined;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    return undefined;
  }
}

/** Whole and verified under its name, or not at all. @throws EngineError "invalid" for other bytes than the digest's. */
export async function writeBlob(
  directory: string,
  { digest, size }: { digest: Digest; size: number },
  data: AsyncIterable<Uint8Array>,
): Promise<void> {
  const path = blobPath(directory, digest);
  await mkdir(join(path, '..'), { recursive: true });
  const part = `${path}.${randomUUID()}`;
  const file = await open(part, 'wx');
  try {
    const hasher = new Bun.CryptoHasher(algorithmOf(digest));
    let written = 0;
    for await (const piece of data) {
      hasher.update(piece as Uint8Array<ArrayBuffer>);
      for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
      written += piece.length;
    }
    if (written !== size || hasher.digest('hex') !== hexOf(digest))
      throw new EngineError('invalid', `blob ${digest} came damaged`, { code: 'digest-mismatch' });
    await file.sync();
    await file.close();
    await rename(part, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}
