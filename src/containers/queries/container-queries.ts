import type { NetworkInfo } from '../../network/network-driver.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import type { ContainerView } from '../container.ts';
import type { ContainerSize, ListRequest } from '../container-backend.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import { linkNamesOf } from '../links/linked-containers.ts';
import type { LiveContainer } from '../live-container.ts';
import { imagesOf } from '../mounts/image-mounts.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { snapshotKeyOf } from '../tasks/task-starter.ts';
import { statusOf } from './container-status.ts';
import { type ViewContext, viewOf } from './container-view.ts';
import { compileFilters } from './list-filters.ts';

/** A container of an image. */
export interface ImageUser {
  id: string;
  name: string;
  running: boolean;
}

/** What is seen of containers as they are now; nothing here waits for a container's turn. */
export class ContainerQueries {
  readonly #deps: ContainerDependencies;
  readonly #index: ContainerIndex<LiveContainer>;

  constructor(deps: ContainerDependencies, index: ContainerIndex<LiveContainer>) {
    this.#deps = deps;
    this.#index = index;
  }

  async view(container: LiveContainer): Promise<ContainerView> {
    return viewOf(container, await this.#viewContext());
  }

  async size(nameOrId: string): Promise<ContainerSize> {
    const { id, record } = this.#index.resolve(nameOrId);
    const writableBytes = await this.#deps.snapshotter.usage(snapshotKeyOf(id));
    const image = await this.#deps.images.get(record.image.id).catch(() => undefined);
    return { writableBytes, rootfsBytes: writableBytes + (image?.size ?? 0) };
  }

  async list(request: ListRequest): Promise<ContainerView[]> {
    const matches = await compileFilters(request.filters, {
      container: (nameOrId) => this.#index.resolve(nameOrId).record,
      imageIds: async (name) => {
        const image = await this.#deps.images.get(name).catch(() => undefined);
        return new Set(image === undefined ? [] : [image.id, image.manifestDigest, image.configDigest]);
      },
    });
    const all = request.all || request.limit !== undefined || request.filters.has('status');
    const context = await this.#viewContext();
    const views = [...this.#index.values()]
      .filter((container) => all || container.isUp)
      .map((container) => viewOf(container, context));
    const sorted = views.filter(matches).sort((a, b) => (a.createdNano < b.createdNano ? 1 : -1));
    return request.limit === undefined ? sorted : sorted.slice(0, request.limit);
  }

  counts(): { running: number; paused: number; stopped: number } {
    const counts = { running: 0, paused: 0, stopped: 0 };
    for (const container of this.#index.values()) {
      const status = statusOf(container);
      counts[status === 'running' || status === 'paused' ? status : 'stopped']++;
    }
    return counts;
  }

  /** Containers that stand on the image of an ID, on whichever platform of it. */
  usersOf(image: Digest): ImageUser[] {
    return this.#users(({ id }) => id === image);
  }

  /** Containers that stand on one platform, of whichever image. */
  manifestUsers(manifest: Digest): ImageUser[] {
    return this.#users(({ manifestDigest }) => manifestDigest === manifest);
  }

  #users(isMeant: (image: ReturnType<typeof imagesOf>[number]) => boolean): ImageUser[] {
    return [...this.#index.values()]
      .filter(({ record }) => imagesOf(record).some(isMeant))
      .map(({ id, name, isUp }) => ({ id, name, running: isUp }));
  }

  /** How many containers have a network on their record. */
  networkUsers({ name, id }: NetworkInfo): number {
    const isOn = ({ record }: LiveContainer) =>
      record.networks.some(({ network }) => network === name || network === id);
    return [...this.#index.values()].filter(isOn).length;
  }

  /** What containers need of images: their stacks, manifests and configs. */
  imageRoots(): { blobs: Digest[]; chains: ChainId[] } {
    const images = [...this.#index.values()].flatMap(({ record }) => imagesOf(record));
    return {
      blobs: images.flatMap(({ id, manifestDigest, configDigest }) => [id, manifestDigest, configDigest]),
      chains: images.flatMap(({ chainId }) => (chainId === undefined ? [] : [chainId])),
    };
  }

  async #viewContext(): Promise<ViewContext> {
    const { paths, snapshotter, networks, volumes } = this.#deps;
    const networkIds = new Map((await networks.list()).map(({ name, id }) => [name, id]));
    const nameOf = (id: string) => this.#index.get(id)?.name;
    const linkNames = linkNamesOf([...this.#index.values()].map(({ record }) => record));
    return { paths, driver: snapshotter.driver, networks, networkIds, volumes, nameOf, linkNames };
  }
}
