import type { Logger } from '../../errors/logger.ts';
import type { ResolverWords } from '../../network/names/resolv-conf-text.ts';
import type { Networks } from '../../network/network-driver.ts';
import type { Platform } from '../../oci/platform.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Snapshotter } from '../../snapshots/snapshotter.ts';
import type { IdMap } from '../../sys/id-map.ts';
import type { UserNamespaces } from '../../sys/user-namespaces.ts';

/**
 * What running a step stands on. Its folders are those of containers: what a dead daemon leaves there, of either, the next one's recovery of
 * containers takes away, since no record owns it.
 */
export interface RunPorts {
  snapshotter: Snapshotter;
  runtime: Runtime;
  networks: Networks;
  /** What this host can execute, just now. */
  runnablePlatforms: () => Promise<readonly Platform[]>;
  resolver: (network: 'host' | 'own') => Promise<ResolverWords>;
  paths: RunPaths;
  /** The ids that steps have on the host; undefined: the host's own. */
  idMap: IdMap | undefined;
  userNamespaces: Pick<UserNamespaces, 'of'>;
  cgroups: { parent: string; driver: 'cgroupfs' | 'systemd'; version: '1' | '2' };
  logger: Logger;
}

/** On tmpfs. */
export interface RunPaths {
  /** Mount point of a root. */
  rootfs(id: string): string;
  /** A step's files; the runtime's below. */
  tasks(id: string): string;
  task(id: string, generation: number): string;
  /** What is mounted for a step besides roots. */
  mounts(id: string): string;
}
