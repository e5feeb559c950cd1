import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchImage, busyboxImage, layeredImage } from './bench-image.ts';
import type { BenchOptions } from './bench-options.ts';
import type { CleanUp } from './clean-up.ts';
import { Endpoint } from './endpoint.ts';
import { LocalRegistry } from './local-registry.ts';
import { PrivateSampan } from './private-sampan.ts';
import { socketOwner } from './process-memory.ts';
import { findProgram, runCommand } from './run-command.ts';

type Published = 'busybox' | 'bench' | 'changed';

/** Both daemons, the registry between them, and what the benches share. What it makes is undone by `cleanUp`. */
export class Setting {
  readonly options: BenchOptions;
  readonly root: string;
  readonly folder: string;
  readonly sampan: Endpoint;
  readonly peer: Endpoint | undefined;
  /** Undefined when a running one is under test. */
  readonly ownDaemon: PrivateSampan | undefined;
  /** The stock client, if there is one. */
  readonly dockerCli: string | undefined;
  readonly #cleanUp: CleanUp;
  #registry: Promise<LocalRegistry> | undefined;
  readonly #references = new Map<string, Promise<string>>();

  private constructor(
    base: { options: BenchOptions; root: string; folder: string; cleanUp: CleanUp },
    daemons: { sampan: Endpoint; peer: Endpoint | undefined; ownDaemon: PrivateSampan | undefined },
  ) {
    this.options = base.options;
    this.root = base.root;
    this.folder = base.folder;
    this.#cleanUp = base.cleanUp;
    this.sampan = daemons.sampan;
    this.peer = daemons.peer;
    this.ownDaemon = daemons.ownDaemon;
    this.dockerCli = findProgram('docker', base.root);
  }

  /** @throws Error when a daemon doesn't answer. */
  static async open(base: {
    options: BenchOptions;
    root: string;
    folder: string;
    cleanUp: CleanUp;
  }): Promise<Setting> {
    const { options, root, folder, cleanUp } = base;
    const peer = options.peer === undefined ? undefined : new Endpoint('Docker', options.peer);
    if (peer !== undefined && !(await peer.ping())) throw new Error(`${options.peer} doesn't answer`);
    const ownDaemon =
      options.socket === undefined
        ? await PrivateSampan.start({ root, folder: join(folder, 'sampan'), bip: options.bip, cleanUp })
        : undefined;
    const sampan = ownDaemon?.endpoint ?? new Endpoint('Sampan', options.socket ?? '');
    if (!(await sampan.ping())) throw new Error(`${sampan.address} doesn't answer`);
    return new Setting(base, { sampan, peer, ownDaemon });
  }

  get endpoints(): Endpoint[] {
    return this.peer === undefined ? [this.sampan] : [this.sampan, this.peer];
  }

  sampanPid(): number {
    return this.ownDaemon?.pid ?? socketOwner(this.sampan.socketPath);
  }

  /** Our command line; `bin/sampan` takes the compiled one where there is one. */
  get sampanCli(): string {
    return join(this.root, 'bin/sampan');
  }

  /** A client's command on an endpoint, in a world without configuration of the user's. */
  runClient(
    client: string,
    endpoint: Endpoint,
    args: readonly string[],
    output: { bulky?: boolean } = {},
  ): void {
    const config = join(this.folder, 'client');
    mkdirSync(config, { recursive: true });
    runCommand([client, '-H', endpoint.address, ...args], { DOCKER_CONFIG: config }, output);
  }

  /** The registry's name for the busybox of the benches, present on all endpoints. */
  async busybox(): Promise<string> {
    return this.#published('busybox', async (reference) => {
      for (const endpoint of this.endpoints) await endpoint.pull(reference);
    });
  }

  /** The registry's name for the image of many layers; on no endpoint until it is pulled. */
  layered(): Promise<string> {
    return this.#published('bench', () => Promise.resolve());
  }

  /** The same image after a change of its last layer. */
  changed(): Promise<string> {
    return this.#published('changed', () => Promise.resolve());
  }

  /** A registry that holds nothing yet. @returns Its address. */
  async emptyRegistry(): Promise<string> {
    const folder = mkdtempSync(join(this.folder, 'target-'));
    return (await LocalRegistry.start(folder, this.#cleanUp)).address;
  }

  /** Undo something of a bench's own at the end. */
  undoLater(what: string, undo: () => Promise<void>): void {
    this.#cleanUp.add(what, undo);
  }

  #published(name: Published, then: (reference: string) => Promise<void>): Promise<string> {
    const known = this.#references.get(name);
    if (known !== undefined) return known;
    const publishing = this.#publish(name, then);
    this.#references.set(name, publishing);
    return publishing;
  }

  async #publish(name: Published, then: (reference: string) => Promise<void>): Promise<string> {
    this.#registry ??= LocalRegistry.start(this.folder, this.#cleanUp);
    const registry = await this.#registry;
    const image = await this.#make(name);
    const reference = await registry.push(name, image);
    this.#cleanUp.add(reference, () => this.#forget(reference));
    await then(reference);
    return reference;
  }

  #make(name: Published): Promise<BenchImage> {
    if (name === 'busybox') return busyboxImage();
    return layeredImage({ ...this.options.image, revision: name === 'changed' ? 1 : 0 });
  }

  async #forget(reference: string): Promise<void> {
    for (const endpoint of this.endpoints) {
      await endpoint.removeContainersOf(reference);
      await endpoint.removeImage(reference);
    }
  }
}
