import type { ImageView } from '../../images/image-backend.ts';
import { type Timeline, timed } from '../../sys/timeline.ts';
import type { ContainerImage } from '../container.ts';
import type { CreateRequest, CreateResult, TimedOptions } from '../container-backend.ts';
import { publishContainerEvent, publishVolumeEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import { resolveLinks } from '../links/container-link.ts';
import { LiveContainer } from '../live-container.ts';
import { holdMountedImages, prepareImageSnapshots, removeImageSnapshots } from '../mounts/image-mounts.ts';
import { withVolumes } from '../mounts/make-volumes.ts';
import { type MountPlan, planMounts } from '../mounts/plan-mounts.ts';
import { sourceFaults } from '../mounts/source-faults.ts';
import { withOwnerIds } from '../namespaces/joined-namespaces.ts';
import type { ContainerNames } from '../record/container-names.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { checkName } from '../record/names.ts';
import { snapshotKeyOf } from '../tasks/task-starter.ts';
import { checkRuntimeName, checkSecurityOptions } from './check-options.ts';
import { newContainerId, newRecord } from './creation.ts';
import { plannedNetworks } from './planned-networks.ts';

/** Makes containers: name reserved, record planned, snapshots and volumes made, all of it committed at once. */
export class ContainerCreations {
  readonly #deps: ContainerDependencies;
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #names: ContainerNames;

  constructor(deps: ContainerDependencies, index: ContainerIndex<LiveContainer>, names: ContainerNames) {
    this.#deps = deps;
    this.#index = index;
    this.#names = names;
  }

  /** As `ContainerBackend.create`. */
  async create(request: CreateRequest, { timeline }: TimedOptions = {}): Promise<CreateResult> {
    // Most are started at once.
    this.#deps.runtime.anticipate?.();
    const asked = request.name === undefined ? undefined : checkName(request.name);
    const held = await this.#deps.images.hold(request.config.image, { platform: request.platform });
    const mounted = await holdMountedImages(request, this.#deps).catch((error: unknown) => {
      held.release();
      throw error;
    });
    try {
      return await this.#createOn(held.image, request, { asked, images: mounted.images, timeline });
    } finally {
      held.release();
      mounted.release();
    }
  }

  async #createOn(
    image: ImageView,
    request: CreateRequest,
    {
      asked,
      images,
      timeline,
    }: {
      asked: string | undefined;
      images: ReadonlyMap<string, ContainerImage>;
      timeline: Timeline | undefined;
    },
  ): Promise<CreateResult> {
    const name = asked ?? this.#names.generate();
    const engine = await this.#deps.runtime.info();
    checkRuntimeName(request.host.runtime, engine.name);
    checkSecurityOptions(request.host);
    const host = withOwnerIds(request.host, this.#index);
    const { record, warnings } = newRecord({ ...request, host }, image, {
      id: newContainerId(),
      name,
      engine,
      defaults: this.#deps.defaults,
      logDefaults: this.#deps.logs.defaults,
    });
    record.networks = await plannedNetworks(request, this.#deps.networks);
    record.links = resolveLinks(record.host, this.#index);
    const { signal } = new AbortController();
    const faults = await sourceFaults(record.host.mounts, this.#deps.mountSources, { signal });
    const plan = planMounts(record.config, record.host, {
      mountsOf: (nameOrId) => this.#index.resolve(nameOrId).record.mounts,
      images,
      faults,
      dataRoot: this.#deps.defaults.dataRoot,
    });
    this.#names.reserve(name);
    try {
      await this.#insert(record, plan, timeline);
    } finally {
      this.#names.release(name);
    }
    this.#deps.images.used(record.image.id);
    publishContainerEvent(this.#deps.events, record, 'create');
    return { id: record.id, warnings };
  }

  /** With snapshots and volumes, or without any of it. */
  async #insert(record: ContainerRecord, plan: MountPlan, timeline: Timeline | undefined): Promise<void> {
    const { signal } = new AbortController();
    record.mounts = plan.points;
    try {
      const key = snapshotKeyOf(record.id);
      await timed(timeline, 'snapshot', () =>
        this.#deps.snapshotter.prepare(key, record.image.chainId, {
          signal,
          sizeBytes: record.host.sizeLimitBytes || undefined,
        }),
      );
      await prepareImageSnapshots(record, this.#deps, signal);
      const made = await withVolumes(record, plan, this.#deps, async (mounts, statements) => {
        record.mounts = mounts;
        await timed(timeline, 'commit', () => this.#deps.store.insert(record, statements));
        this.#index.add(new LiveContainer(record));
      });
      for (const { name } of made) publishVolumeEvent(this.#deps.events, 'create', name);
    } catch (error) {
      await this.#deps.snapshotter.remove(snapshotKeyOf(record.id)).catch(() => undefined);
      await removeImageSnapshots(record, this.#deps).catch(() => undefined);
      throw error;
    }
  }
}
