import type { IdMap } from '../../sys/id-map.ts';
import type { HostOptions } from '../container.ts';

/** What the daemon's settings give a container where its user has said nothing; kept in it from its creation on. */
export interface ContainerDefaults {
  ipcMode: string;
  /** '': by the host's cgroups. */
  cgroupnsMode: string;
  /** 0: Docker's 64 MB. */
  shmSizeBytes: number;
  ulimits: HostOptions['ulimits'];
  /** The ids of those that don't ask for the host's; undefined: all have them. */
  idMap?: IdMap | undefined;
  /** The engine's own, which binds are held against. */
  dataRoot?: string | undefined;
}

export const plainDefaults: ContainerDefaults = {
  ipcMode: 'private',
  cgroupnsMode: '',
  shmSizeBytes: 0,
  ulimits: [],
};
