import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
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

/** Find out which driver it is to be, and why. @throws EngineError "unavailable" when the named driver does not work here. */
export async function chooseSnapshotDriver({
  driver,
  root,
  logger,
}: SnapshotterOptions): Promise<ProbeResult> {
  const probed = driver === 'overlay' ? { driver, reason: 'asked for' } : await probeSnapshotDriver(root);
  if (driver === 'erofs' && probed.driver !== 'erofs')
    throw new EngineError('unavailable', `Cannot use the erofs snapshotter: ${probed.reason}`);
  logger.info('snapshot driver', { driver: probed.driver, reason: probed.reason });
  return probed;
}

/** @throws as `chooseSnapshotDriver`. */
export async function createSnapshotter(options: SnapshotterOptions): Promise<Snapshotter> {
  return openSnapshotter((await chooseSnapshotDriver(options)).driver, options);
}

/** The driver that was chosen. */
export function openSnapshotter(
  driver: SnapshotDriver,
  { root, logger }: Pick<SnapshotterOptions, 'root' | 'logger'>,
): Snapshotter {
  if (driver === 'erofs') return new ErofsSnapshotter({ root: `${root}/erofs`, logger });
  return new OverlaySnapshotter(`${root}/overlay`);
}
