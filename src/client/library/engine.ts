import { LIFELINE_KEY } from '../../wire/lifeline.ts';
import { ApiError } from '../api-error.ts';
import type { EngineClient } from '../engine-client.ts';
import type { AuthConfig, ProgressMessage } from '../model.ts';
import { type BuildImageOptions, buildImage } from './build-image.ts';
import { Container } from './container.ts';
import { type ContainerOptions, createBody } from './create-body.ts';
import { Images } from './images.ts';
import { Ties } from './ties.ts';
import { Volumes } from './volumes.ts';

export interface CreateOptions extends ContainerOptions {
  /** When to ask the registry: `missing` unless said otherwise. */
  pull?: 'always' | 'missing' | 'never';
  /** For the registry, if it is asked. */
  auth?: AuthConfig;
  onProgress?: (message: ProgressMessage) => void;
  /** It stays when its scope or this process ends. */
  keep?: boolean;
  /** Of the pull; a creation under way goes on. */
  signal?: AbortSignal;
}

/**
 * A container engine, by what programs do with it. `client` is the same by Docker's API, call by call.
 *
 * What it makes goes with this process unless it was made with `keep`: at the end of its scope, at `close`, and, with Sampan's daemon,
 * when the process ends in any way.
 */
export class Engine {
  readonly client: EngineClient;
  readonly images: Images;
  readonly volumes: Volumes;
  /** Whether the daemon removes what is left when this process dies. A daemon that isn't Sampan's can't. */
  readonly removesWithProcess: boolean;
  readonly #ties: Ties;

  private constructor(client: EngineClient, removesWithProcess: boolean) {
    this.client = client;
    this.removesWithProcess = removesWithProcess;
    this.#ties = new Ties(client);
    this.images = new Images(client);
    this.volumes = new Volumes(client, this.#ties);
  }

  /** @throws EngineError "unavailable" when nothing answers. */
  static async open(client: EngineClient): Promise<Engine> {
    const { server } = await client.ping();
    return new Engine(client, server.startsWith('Sampan/'));
  }

  /**
   * Make a container, and start it; one that can't be started is removed again.
   *
   * @throws ApiError in the daemon's words; EngineError when the image can't be had.
   */
  async run(image: string, options: CreateOptions = {}): Promise<Container> {
    const container = await this.create(image, options);
    try {
      await container.start();
    } catch (error) {
      await container.remove().catch(() => undefined);
      throw error;
    }
    return container;
  }

  /** The same without the start. */
  async create(image: string, options: CreateOptions = {}): Promise<Container> {
    const { pull = 'missing', platform, auth, onProgress, signal } = options;
    const fetch = () => this.images.pull(image, { platform, auth, onProgress, signal });
    if (pull === 'always') await fetch();
    const disposable = options.keep !== true;
    const body = createBody(image, options);
    if (disposable) this.#tie(body, await this.#ties.hold());
    const make = () => this.client.containers.create(body, { name: options.name, platform });
    const { Id } = await make().catch(async (error: unknown) => {
      if (pull !== 'missing' || !isMissingImage(error)) throw error;
      await fetch();
      return await make();
    });
    const container = new Container(this.client, Id, { disposable });
    if (disposable) this.#ties.add(container);
    return container;
  }

  /** A container that is there, by name or ID; its scope's end leaves it alone. Nothing is asked. */
  container(id: string): Container {
    return new Container(this.client, id, { disposable: false });
  }

  /** Build an image of a folder. Resolves to its ID, which `run` takes. */
  build(folder: string, options: BuildImageOptions = {}): Promise<string> {
    return buildImage(this.client, folder, options);
  }

  /** Remove what was made and is still there, and let go of the daemon. */
  close(): Promise<void> {
    return this.#ties.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** An annotation where it means something; a label, for people to find what was left, elsewhere. */
  #tie(body: Record<string, unknown>, lifeline: string): void {
    const part = (this.removesWithProcess ? body['HostConfig'] : body) as Record<string, unknown>;
    const name = this.removesWithProcess ? 'Annotations' : 'Labels';
    part[name] = { ...(part[name] as object | undefined), [LIFELINE_KEY]: lifeline };
  }
}

function isMissingImage(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404 && /no such image/i.test(error.message);
}
