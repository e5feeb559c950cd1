import { open } from 'node:fs/promises';

/** A hosts file of ten thousand names is smaller. */
const MAX_BYTES = 1 << 20;

/** A file of the engine's that a container's processes may write (hosts, resolv.conf). Undefined: there is none, or it has become too large to be gone through. */
export async function readOwnFile(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    if (size > MAX_BYTES) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
