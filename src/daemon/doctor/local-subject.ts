import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../errors/engine-error.ts';
import { silentLogger } from '../../errors/logger.ts';
import { TaskCgroup } from '../../runtime/cgroups/task-cgroup.ts';
import { probeRuntime } from '../../runtime/probe/probe.ts';
import { hasDiskImage } from '../../snapshots/disk-image.ts';
import { probeSnapshotDriver } from '../../snapshots/probe.ts';
import { type DaemonSettings, readSettings } from '../daemon-settings.ts';
import { RegistryAccess } from '../registry-access.ts';
import { absentDaemon } from './absent-daemon.ts';
import type { FoundRuntime, Subject } from './check.ts';
import { nearestThere } from './idmap-trial.ts';

const DEFAULT_BRIDGE = 'sampan0';

/**
 * The machine, without a daemon that answers: what a start would find out is tried here. The caller is in a mount namespace of its own, or
 * isn't root.
 *
 * @param socket that a client got no answer at; undefined: those of the settings.
 */
export function localSubject(args: readonly string[], socket: string | undefined): Subject {
  const { settings, settingsProblem } = settingsOf(args);
  return {
    running: false,
    settings,
    settingsProblem,
    isRoot: process.geteuid?.() === 0,
    registry: new RegistryAccess(settings, silentLogger),
    bridgeNames: async () => [settings.bridge ?? DEFAULT_BRIDGE],
    storage: async () => {
      const layers = join(settings.dataRoot, 'layers');
      const { driver, reason } = await probeSnapshotDriver(nearestThere(layers));
      // A start would make it; here nothing is made.
      const isOwn = driver === undefined || hasDiskImage(layers);
      if (settings.storageDriver === 'erofs' && driver === 'overlay') throw new Error(reason);
      const wanted = settings.storageDriver === 'auto' ? (driver ?? 'erofs') : settings.storageDriver;
      return { driver: wanted, reason, ownDisk: isOwn ? reason : undefined };
    },
    runtime: () => tryRuntime(settings),
    daemon: () => absentDaemon(settings, { settingsProblem, socket }),
  };
}

function settingsOf(args: readonly string[]): Pick<Subject, 'settings' | 'settingsProblem'> {
  try {
    return { settings: readSettings(args), settingsProblem: undefined };
  } catch (error) {
    const none = () => ({ path: undefined, values: new Map(), warnings: [] });
    return { settings: readSettings([], none), settingsProblem: messageOf(error) };
  }
}

/** As the daemon does at its start, in a folder and a cgroup of our own. */
async function tryRuntime({ defaultRuntime }: DaemonSettings): Promise<FoundRuntime> {
  const directory = mkdtempSync('/run/sampan-doctor-');
  const cgroupParent = `/sampan-doctor-${process.pid}`;
  try {
    const probed = await probeRuntime({
      directory,
      cgroupParent,
      ownMountNamespace: true,
      ...(defaultRuntime === undefined ? {} : { runtime: defaultRuntime }),
    });
    const filter = await probed.trySeccompFilter().catch(() => undefined);
    return { info: probed.info, rejected: probed.rejected, takesShortcuts: filter !== undefined };
  } finally {
    await new TaskCgroup(cgroupParent).remove();
    rmSync(directory, { recursive: true, force: true });
  }
}
