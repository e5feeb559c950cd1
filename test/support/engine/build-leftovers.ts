import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupProcesses, daemonCgroups } from './host-traces.ts';
import type { TestDaemon } from './test-daemon.ts';

/** What a build that has ended in any way must not leave: processes, mounts of roots, snapshots, received contexts, half layers. */
export function buildLeftovers(daemon: TestDaemon): string[] {
  const list = (path: string) => (existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []);
  const { mounts, files } = daemon.traces();
  return [
    ...mounts.filter((point) => point.includes('/rootfs/')),
    ...files,
    ...daemonCgroups(daemon.dataRoot).flatMap((path) => cgroupProcesses(path).map((pid) => `process ${pid}`)),
    ...list(join(daemon.dataRoot, 'builder/contexts')),
    ...['erofs', 'overlay'].flatMap((driver) =>
      ['active', 'snapshots', 'staging', 'stage'].flatMap((name) =>
        list(join(daemon.dataRoot, 'layers', driver, name)),
      ),
    ),
  ];
}
