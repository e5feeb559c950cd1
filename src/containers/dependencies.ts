import type { Logger } from '../errors/logger.ts';
import type { EventSink } from '../events/event.ts';
import type { ImageService } from '../images/image-service.ts';
import type { Networks } from '../network/network-driver.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { RuntimeSpec } from '../runtime/runtime-spec.ts';
import type { Snapshotter } from '../snapshots/snapshotter.ts';
import type { UserNamespaces } from '../sys/user-namespaces.ts';
import type { Volumes } from '../volumes/volumes.ts';
import type { ContainerDefaults } from './creation/container-defaults.ts';
import type { ContainerLogs } from './logs/container-logs.ts';
import type { ReadyMount } from './mounts/ready-mounts.ts';
import type { SourceThreads } from './mounts/source-threads.ts';
import type { SharedMemory } from './namespaces/shared-memory.ts';
import type { ResolverSettings } from './networking/network-files.ts';
import type { ContainerPaths } from './record/container-paths.ts';
import type { ContainerRecord } from './record/container-record.ts';
import type { ContainerStore } from './record/container-store.ts';
import type { TaskNotes } from './tasks/task-notes.ts';
import type { TaskObserver } from './tasks/task-observer.ts';

/** What a start knows when its OCI spec is made. */
export interface SpecContext {
  record: ContainerRecord;
  /** Mounted. */
  rootDirectory: string;
  /** Namespaces that are there already: its own network's, and those that it joins. */
  namespaces: { network?: string; pid?: string; ipc?: string };
  /** The path of the user namespace to be in, where the record has ids of its own. */
  userNamespace: string | undefined;
  /** What is its `/dev/shm`, where others see it too. */
  sharedMemory: string | undefined;
  paths: ContainerPaths;
  /** What it mounts, all of it there. */
  mounts: readonly ReadyMount[];
}

/** The rooms that containers stand on; `daemon` chooses the implementations. */
export interface ContainerDependencies {
  store: ContainerStore;
  notes: TaskNotes;
  paths: ContainerPaths;
  images: Pick<ImageService, 'get' | 'hold' | 'commit' | 'used' | 'containerGone'>;
  snapshotter: Snapshotter;
  runtime: Runtime;
  userNamespaces: Pick<UserNamespaces, 'of' | 'keep'>;
  networks: Networks;
  buildSpec: (context: SpecContext) => Promise<RuntimeSpec>;
  /** What containers without own `--dns` options get in their resolv.conf; `names`: what their name server asks, also on the host's loopback. */
  resolver: (network: 'host' | 'own' | 'names') => Promise<ResolverSettings>;
  volumes: Volumes;
  mountSources: SourceThreads;
  sharedMemory: SharedMemory;
  defaults: ContainerDefaults;
  logs: ContainerLogs;
  events: EventSink;
  observer?: TaskObserver;
  logger: Logger;
}
