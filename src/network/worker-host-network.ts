import { deserializeError, EngineError } from '../errors/engine-error.ts';
import type { Ipv4Prefix } from '../sys/links.ts';
import type { AttachRequest, BridgeRequest, HostLink, HostNetwork } from './host-network.ts';
import type { Answer, Call, Operation } from './host-network-worker.ts';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: EngineError) => void;
}

/** The host's network by netlink, on a thread of its own, which is started at the first call, and again should it ever die. */
export class WorkerHostNetwork implements HostNetwork {
  #worker: Worker | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();

  async links(): Promise<HostLink[]> {
    return (await this.#call({ name: 'links' })) as HostLink[];
  }

  async usedSubnets(exceptLink: string | undefined): Promise<Ipv4Prefix[]> {
    return (await this.#call({ name: 'usedSubnets', exceptLink })) as Ipv4Prefix[];
  }

  async addressesOf(link: string): Promise<Ipv4Prefix[]> {
    return (await this.#call({ name: 'addressesOf', link })) as Ipv4Prefix[];
  }

  async ensureBridge(request: BridgeRequest): Promise<void> {
    await this.#call({ name: 'ensureBridge', request });
  }

  async createNamespace(path: string): Promise<void> {
    await this.#call({ name: 'createNamespace', path });
  }

  async removeNamespace(path: string): Promise<void> {
    await this.#call({ name: 'removeNamespace', path });
  }

  async attach(request: AttachRequest): Promise<void> {
    await this.#call({ name: 'attach', request });
  }

  async removeLink(name: string): Promise<void> {
    await this.#call({ name: 'removeLink', link: name });
  }

  close(): Promise<void> {
    this.#worker?.terminate();
    this.#fail(new EngineError('internal', 'The network thread was closed'));
    return Promise.resolve();
  }

  #call(operation: Operation): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const call: Call = { id: ++this.#lastId, operation };
    this.#waiting.set(call.id, { resolve, reject });
    this.#worker ??= this.#start();
    this.#worker.postMessage(call);
    return promise;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./host-network-worker.ts', import.meta.url).href);
    worker.unref();
    worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) waiting?.resolve(data.value);
      else waiting?.reject(deserializeError(data.error));
    });
    worker.addEventListener('error', ({ message }) => {
      this.#fail(new EngineError('internal', `The network thread died: ${message}`));
    });
    return worker;
  }

  #fail(error: EngineError): void {
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
