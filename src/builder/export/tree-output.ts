import { randomBytes } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import { messageOf } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import { readRoot } from '../../snapshots/reading/read-root.ts';
import type { SnapshotKey } from '../../snapshots/snapshotter.ts';
import type { OutputSink } from '../build-session.ts';
import type { RunPorts } from '../execute/run-ports.ts';

/** A built root file system as a tar, to its client. Nothing is mounted where anybody else sees it. */
export async function writeTree(
  chain: ChainId | undefined,
  sink: OutputSink,
  { ports, signal }: { ports: Pick<RunPorts, 'snapshotter' | 'logger'>; signal: AbortSignal },
): Promise<void> {
  const key = `build-${randomBytes(12).toString('hex')}-out` as SnapshotKey;
  await ports.snapshotter.prepare(key, chain, { signal });
  try {
    const root = await ports.snapshotter.view(key);
    await sink.write(readRoot({ form: 'tree', root }, signal), { signal });
  } finally {
    await ports.snapshotter.remove(key).catch((error: unknown) => {
      ports.logger.error('Cannot remove the snapshot of a build output', { error: messageOf(error) });
    });
  }
}

/** A chain's files while `use` runs, in a mount of their own. */
export async function withMountedChain(
  chain: ChainId,
  use: (root: string) => Promise<void>,
  { ports, signal }: { ports: Pick<RunPorts, 'snapshotter' | 'paths'>; signal: AbortSignal },
): Promise<void> {
  const id = `build-${randomBytes(12).toString('hex')}-seed`;
  const key = id as SnapshotKey;
  const root = ports.paths.rootfs(id);
  await ports.snapshotter.prepare(key, chain, { signal });
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await ports.snapshotter.mount(key, root, { readonly: true });
    try {
      await use(root);
    } finally {
      await ports.snapshotter.unmount(key, root);
      await rmdir(root);
    }
  } finally {
    await ports.snapshotter.remove(key);
  }
}
