import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { hasDiskImage, mountDiskImage } from './disk-image.ts';
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

export interface ChosenSnapshotter {
  snapshotter: Snapshotter;
  /** What its user should know. */
  warnings: string[];
}

/**
 * The driver that works in the root. Where none does (the root lies on a container's overlay, on a network), layers have a file system of their own, in
 * a file; one that has been made is gone on with.
 *
 * @throws EngineError "unavailable" when the named driver does not work here, or none does.
 */
export async function createSnapshotter({
  driver,
  root,
  logger,
}: SnapshotterOptions): Promise<ChosenSnapshotter> {
  const here = hasDiskImage(root) ? undefined : await probeSnapshotDriver(root);
  if (here?.driver !== undefined) {
    if (driver === 'erofs' && here.driver !== 'erofs')
      throw new EngineError('unavailable', `Cannot use the erofs snapshotter: ${here.reason}`);
    return { snapshotter: open(driver, { root, probed: here, logger }), warnings: [] };
  }
  const disk = await mountDiskImage(root);
  const probed = await probeSnapshotDriver(disk);
  if (probed.driver === undefined || (driver === 'erofs' && probed.driver !== 'erofs'))
    throw new EngineError(
      'unavailable',
      `Cannot keep layers in ${root}: ${here?.reason ?? ''}; in a file system of their own: ${probed.reason}`,
    );
  const warning = `${root} is on a file system that nothing can be stacked on: layers and containers are in ${root}/disk.img. A data root on ext4 or XFS (in a container: a volume) does without.`;
  logger.warn(warning, here === undefined ? {} : { reason: here.reason });
  return { snapshotter: open(driver, { root: disk, probed, logger }), warnings: [warning] };
}

function open(
  wanted: SnapshotterOptions['driver'],
  { root, probed, logger }: { root: string; probed: ProbeResult; logger: Logger },
): Snapshotter {
  const driver = wanted === 'overlay' ? wanted : probed.driver;
  logger.info('snapshot driver', { driver, reason: driver === wanted ? 'asked for' : probed.reason });
  return driver === 'erofs'
    ? new ErofsSnapshotter({ root: `${root}/erofs`, logger })
    : new OverlaySnapshotter(`${root}/overlay`);
}
