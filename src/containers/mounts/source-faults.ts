import type { MountRequest } from './mount-point.ts';
import type { SourceFaults } from './parse-mount.ts';
import type { SourceThreads } from './source-threads.ts';

/** Look for the sources of the binds among `HostConfig.Mounts` that must be there. */
export async function sourceFaults(
  mounts: readonly MountRequest[],
  sources: Pick<SourceThreads, 'find'>,
  waiting: { signal: AbortSignal },
): Promise<SourceFaults> {
  const faults = new Map<string, string>();
  for (const { type, source, bind } of mounts) {
    if (
      type !== 'bind' ||
      bind?.createMountpoint === true ||
      !source.startsWith('/') ||
      source.includes('\0')
    )
      continue;
    const found = await sources.find(source, waiting);
    if (typeof found === 'string') faults.set(source, found);
  }
  return faults;
}
