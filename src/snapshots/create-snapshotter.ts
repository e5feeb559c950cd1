import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { diskImageWarning, hasDiskImage, mountDiskImage } from './disk-image.ts';
import { ErofsSnapshotter } from './erofs/erofs-snapshotter.ts';
import { OverlaySnapshotter } from './overlay/overlay-snapshotter.ts';
import { type ProbeResult, probeSnapshotDriver } from './probe.ts';
import type { SnapshotDriver, Snapshotter } from './snapshotter.ts';

export interface SnapshotterOptions {
  /** `auto` probes; a driver that is named is used or refused. */
  driver: SnapshotDriver | 'auto';
  /** Folder in the data root for all drivers; each has its own below it. */
  root: string;
  logger: Logger;
}

export interface SnapshotChoice {
  driver: SnapshotDriver;
  reason: string;
  /** The folder for all drivers. */
  root: string;
  /** That folder is in a file system of its own, in a file; why nothing else would do. */
  ownDisk: string | undefined;
}

/**
 * Find out which driver it is to be, and why. Where none works in the root (which lies on a container's overlay, on a network), layers have a file system of
 * their own, in a file; one that has been made is gone on with.
 *
 * @throws EngineError "unavailable" when the named driver does not work here, or none does.
 */
export async function chooseSnapshotDriver({
  driver,
  root,
  logger,
}: SnapshotterOptions): Promise<SnapshotChoice> {
  const here = hasDiskImage(root) ? undefined : await probeSnapshotDriver(root);
  if (here?.driver !== undefined) return chosen({ driver, root, logger }, here, undefined);
  const disk = await mountDiskImage(root);
  const ownDisk = here?.reason ?? 'it was so when the data root was made';
  logger.warn(diskImageWarning(root), { reason: ownDisk });
  return chosen({ driver, root: disk, logger }, await probeSnapshotDriver(disk), ownDisk);
}

/** The driver that was chosen. */
export function openSnapshotter(
  { driver, root }: Pick<SnapshotChoice, 'driver' | 'root'>,
  logger: Logger,
): Snapshotter {
  return driver === 'erofs'
    ? new ErofsSnapshotter({ root: `${root}/erofs`, logger })
    : new OverlaySnapshotter(`${root}/overlay`);
}

function chosen(
  { driver: wanted, root, logger }: SnapshotterOptions,
  probed: ProbeResult,
  ownDisk: string | undefined,
): SnapshotChoice {
  const driver = wanted === 'auto' ? probed.driver : wanted;
  if (driver === undefined)
    throw new EngineError('unavailable', `Cannot keep layers in ${root}: ${probed.reason}`);
  if (driver === 'erofs' && probed.driver !== 'erofs')
    throw new EngineError('unavailable', `Cannot use the erofs snapshotter: ${probed.reason}`);
  const reason = driver === probed.driver ? probed.reason : 'asked for';
  logger.info('snapshot driver', { driver, reason });
  return { driver, reason, root, ownDisk };
}
