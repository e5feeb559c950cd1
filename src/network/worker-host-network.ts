import { setTimeout as sleep } from 'node:timers/promises';
import { deserializeError, EngineError, kindOf } from '../errors/engine-error.ts';
import { type FileLock, lockFile } from '../storage/file-lock.ts';
import type { IpPrefix } from '../sys/links.ts';
import type { Family, HostForwarding } from './forwarding/host-forwarding.ts';
import type {
  AttachRequest,
  BridgeRequest,
  DefaultWays,
  HostLink,
  HostNetwork,
  ParentRequest,
  StaleFlows,
} from './host-network.ts';
import type { Answer, Call, Operation } from './host-network-worker.ts';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: EngineError) => void;
}

/** One thread, started at the first call, and again should it ever die. */
class NetworkThread {
  #worker: Worker | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();

  call(operation: Operation): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const call: Call = { id: ++this.#lastId, operation };
    this.#waiting.set(call.id, { resolve, reject });
    this.#worker ??= this.#start();
    this.#worker.postMessage(call);
    return promise;
  }

  /** After all that was called before. */
  async close(): Promise<void> {
    if (this.#worker === undefined) return;
    await this.call({ name: 'close' });
    this.#worker.terminate();
    this.#fail(new EngineError('internal', 'The network thread was closed'));
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

/**
 * The host's network by netlink. The kernel takes some 25 ms to remove an interface (it waits for readers on all CPUs), most of it without
 * the lock of networking: so removals have a thread of their own, beside which others can be made.
 */
export class WorkerHostNetwork implements HostNetwork {
  readonly #maker = new NetworkThread();
  readonly #remover = new NetworkThread();

  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const lock = await lockPatiently();
    try {
      return await work();
    } finally {
      lock.release();
    }
  }

  async links(): Promise<HostLink[]> {
    return (await this.#maker.call({ name: 'links' })) as HostLink[];
  }

  async usedSubnets(exceptLink: string | undefined): Promise<IpPrefix[]> {
    return (await this.#maker.call({ name: 'usedSubnets', exceptLink })) as IpPrefix[];
  }

  async addressesOf(link: string): Promise<IpPrefix[]> {
    return (await this.#maker.call({ name: 'addressesOf', link })) as IpPrefix[];
  }

  async ensureBridge(request: BridgeRequest): Promise<void> {
    await this.#maker.call({ name: 'ensureBridge', request });
  }

  async createNamespace(path: string, userNamespace?: number): Promise<boolean> {
    return (await this.#maker.call({ name: 'createNamespace', path, userNamespace })) === true;
  }

  async removeNamespace(path: string): Promise<void> {
    await this.#maker.call({ name: 'removeNamespace', path });
  }

  async ensureParent(request: ParentRequest): Promise<void> {
    await this.#maker.call({ name: 'ensureParent', request });
  }

  async attach(request: AttachRequest): Promise<string> {
    return (await this.#maker.call({ name: 'attach', request })) as string;
  }

  async setWays(path: string, ways: DefaultWays): Promise<void> {
    await this.#maker.call({ name: 'setWays', path, ways });
  }

  async removeLinkInside(path: string, name: string): Promise<void> {
    await this.#remover.call({ name: 'removeLinkInside', path, link: name });
  }

  async redirectNames(path: string, ports: { udp: number; tcp: number }): Promise<void> {
    await this.#maker.call({ name: 'redirectNames', path, ports });
  }

  async forwarding(): Promise<HostForwarding> {
    return (await this.#maker.call({ name: 'forwarding' })) as HostForwarding;
  }

  async setForwarding(family: Family, wanted: { on: boolean; except: readonly string[] }): Promise<void> {
    await this.#maker.call({ name: 'setForwarding', family, wanted });
  }

  async forgetFlows(flows: readonly StaleFlows[]): Promise<void> {
    await this.#maker.call({ name: 'forgetFlows', flows });
  }

  async rulesGeneration(): Promise<number> {
    return (await this.#maker.call({ name: 'rulesGeneration' })) as number;
  }

  async nft(commands: string): Promise<void> {
    await this.#maker.call({ name: 'nft', commands });
  }

  async removeLink(name: string): Promise<void> {
    await this.#remover.call({ name: 'removeLink', link: name });
  }

  async close(): Promise<void> {
    await Promise.all([this.#maker.close(), this.#remover.close()]);
  }
}

const LOCK_PATH = '/run/sampan-network.lock';
const LOCK_PATIENCE_MS = 10_000;

async function lockPatiently(): Promise<FileLock> {
  const endMs = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      return lockFile(LOCK_PATH, 'the network set-up of this machine');
    } catch (error) {
      if (kindOf(error) !== 'conflict' || performance.now() > endMs) throw error;
      await sleep(20);
    }
  }
}
