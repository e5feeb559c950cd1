import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Endpoint, NetworkInfo } from '../../network/network-driver.ts';
import { addressFaults } from '../../network/plan-network.ts';
import { publishEndpointEvent, publishNetworkEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { balancePorts } from '../ports/balance-ports.ts';
import { movePorts } from '../ports/publish-ports.ts';
import { noteTask } from '../tasks/note-task.ts';
import { checkMac, endpointFaults, refuseFaults } from './check-endpoint.ts';
import { endpointOf, type NetworkMembership, networksOf, usesOwnNetwork } from './container-networks.ts';
import { connectRequest } from './join-networks.ts';
import { rewriteNetworkFiles } from './network-files.ts';

/**
 * Connects containers that there are with networks, running or not. What is wanted is on disk first; what a daemon had no time for is made
 * good by the next (`reconcile`). Callers queue per container.
 */
export class ContainerConnections {
  readonly #deps: ContainerDependencies;

  constructor(deps: ContainerDependencies) {
    this.#deps = deps;
  }

  /** @throws EngineError in Docker's words. */
  async connect(container: LiveContainer, network: NetworkInfo, settings: NetworkMembership): Promise<void> {
    const membership = { ...settings, network: network.name };
    this.#check(container, network, membership);
    const previous = container.record;
    await this.#commit(container, [...previous.networks, membership]);
    const { task } = container;
    if (task === undefined) {
      publishNetworkEvent(this.#deps.events, 'connect', { container: container.id, network });
      return;
    }
    try {
      await this.#join(container, task, membership);
    } catch (error) {
      await this.#commit(container, previous.networks);
      throw error;
    }
  }

  /** @throws EngineError "forbidden" when it is not on the network. */
  async disconnect(container: LiveContainer, network: NetworkInfo): Promise<void> {
    const { networks, host } = container.record;
    if (!usesOwnNetwork(host.networkMode))
      throw new EngineError(
        'forbidden',
        'container cannot be disconnected from host network or connected to host network',
      );
    const isIt = (one: NetworkMembership): boolean =>
      one.network === network.name || one.network === network.id;
    if (!networks.some(isIt))
      throw new EngineError(
        'forbidden',
        `container ${container.id} is not connected to network ${network.name}`,
      );
    await this.#commit(
      container,
      networks.filter((one) => !isIt(one)),
    );
    const { task } = container;
    const endpoint = task?.endpoints.find(({ networkId }) => networkId === network.id);
    if (task === undefined || endpoint === undefined)
      publishNetworkEvent(this.#deps.events, 'disconnect', { container: container.id, network });
    else await this.#leave(container, task, endpoint);
  }

  /** A container that has a new name is found by it. */
  async renamed(container: LiveContainer): Promise<void> {
    const { task } = container;
    if (task === undefined) return;
    const request = new Map<string, string[]>();
    for (const membership of networksOf(container.record)) {
      const endpoint = endpointOf(membership, task.endpoints);
      if (endpoint !== undefined)
        request.set(
          endpoint.networkId,
          (await connectRequest(container.record, membership, this.#deps)).names ?? [],
        );
    }
    task.endpoints = await this.#deps.networks.rename(container.id, (id) => request.get(id) ?? []);
    noteTask(container, task, this.#deps);
  }

  /** After a restart of the daemon: what runs is on the networks that are on its record, and on no others. */
  async reconcile(container: LiveContainer): Promise<void> {
    const { task, record } = container;
    if (task === undefined || !usesOwnNetwork(record.host.networkMode)) return;
    const wanted = networksOf(record);
    for (const endpoint of task.endpoints) {
      if (wanted.some((membership) => endpointOf(membership, [endpoint]) !== undefined)) continue;
      await this.#attempt(container, () => this.#leave(container, task, endpoint));
    }
    for (const membership of wanted) {
      if (endpointOf(membership, task.endpoints) !== undefined) continue;
      await this.#attempt(container, () => this.#join(container, task, membership));
    }
  }

  #check(container: LiveContainer, network: NetworkInfo, membership: NetworkMembership): void {
    const { record, name } = container;
    const { networkMode } = record.host;
    const refuse = (message: string): never => {
      throw new EngineError('forbidden', message);
    };
    if (networkMode.startsWith('container:'))
      refuse(
        'container sharing network namespace with another container or host cannot be connected to any other network',
      );
    if (networkMode === 'host' || network.driver === 'host')
      refuse(
        networkMode === 'host'
          ? 'container cannot be disconnected from host network or connected to host network'
          : 'cannot connect container to host network - container must be created in host network mode',
      );
    const isNone = network.driver === 'null' && !network.configOnly;
    if (isNone || record.networks.some((one) => one.network === 'none'))
      refuse(
        'container cannot be connected to multiple networks with one of the networks in private (none) mode',
      );
    if (record.networks.some((one) => one.network === network.name || one.network === network.id))
      refuse(`endpoint with name ${name} already exists in network ${network.name}`);
    checkMac(membership, '');
    refuseFaults(endpointFaults(membership, network, addressFaults), '');
  }

  async #commit(container: LiveContainer, networks: NetworkMembership[]): Promise<void> {
    const record = { ...container.record, networks };
    await this.#deps.store.update(record);
    container.record = record;
  }

  async #join(container: LiveContainer, task: LiveTask, membership: NetworkMembership): Promise<void> {
    const request = await connectRequest(container.record, membership, this.#deps);
    const endpoint = await this.#deps.networks.connect(request);
    if (container.task !== task || task.exited) {
      await this.#deps.networks.disconnect(endpoint);
      return;
    }
    task.endpoints = [...task.endpoints, endpoint];
    await movePorts(container.record, task.endpoints, this.#deps);
    await balancePorts(container, task, this.#deps);
    noteTask(container, task, this.#deps);
    await rewriteNetworkFiles(container.record, task.endpoints, this.#deps);
    publishEndpointEvent(this.#deps.events, 'connect', endpoint);
  }

  async #leave(container: LiveContainer, task: LiveTask, endpoint: Endpoint): Promise<void> {
    task.endpoints = task.endpoints.filter((one) => one !== endpoint);
    await this.#deps.networks.disconnect(endpoint);
    if (container.task === task) {
      await movePorts(container.record, task.endpoints, this.#deps);
      await balancePorts(container, task, this.#deps);
      noteTask(container, task, this.#deps);
      await rewriteNetworkFiles(container.record, task.endpoints, this.#deps);
    }
    publishEndpointEvent(this.#deps.events, 'disconnect', endpoint);
  }

  async #attempt(container: LiveContainer, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#deps.logger.warn('Cannot bring a container to the networks of its record', {
        container: container.id,
        error: messageOf(error),
      });
    }
  }
}
