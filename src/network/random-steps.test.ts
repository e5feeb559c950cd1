import { expect, test } from 'bun:test';
import { EngineError } from '../errors/engine-error.ts';
import { silentLogger } from '../errors/logger.ts';
import { contains, parseCidr, parseIp } from '../sys/ip.ts';
import { BridgeNetworks } from './bridge-networks.ts';
import type { CreateNetworkRequest, Endpoint, NetworkInfo } from './network-driver.ts';
import { MemoryNetworkStore } from './network-store.ts';
import { FakeFirewall, FakeHostNetwork, FakeNameServer } from './testing/fake-host-network.ts';

const STEPS = 10_000;
/** Some containers hang on a trunk. */
const PORTS_PER_BRIDGE = 4;
const CONTAINERS = 12;

/** mulberry32: the same steps from the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function request(name: string, change: Partial<CreateNetworkRequest>): CreateNetworkRequest {
  const none = { internal: false, attachable: false, ingress: false, configOnly: false, configFrom: '' };
  const addresses = {
    enableIpv4: true,
    enableIpv6: false,
    ipamDriver: '',
    ipamOptions: undefined,
    subnets: [],
  };
  return { name, driver: '', scope: '', ...none, ...addresses, options: {}, labels: {}, ...change };
}

/** The engine's networks on a host in memory, and what should be there. */
class Trial {
  readonly host = new FakeHostNetwork();
  readonly names = new FakeNameServer();
  readonly firewall = new FakeFirewall();
  readonly store = new MemoryNetworkStore();
  readonly random: (below: number) => number;
  net = this.#open();
  /** By name. */
  readonly networks = new Map<string, NetworkInfo>();
  /** By container, then by network's name. */
  readonly members = new Map<string, Map<string, Endpoint>>();

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  async step(): Promise<void> {
    switch (this.random(10)) {
      case 0:
        return await this.create();
      case 1:
        return await this.remove();
      case 2:
        return await this.end();
      case 3:
        return this.random(8) === 0 ? await this.restart() : undefined;
      case 4:
      case 5:
        return await this.disconnect();
      default:
        return await this.connect();
    }
  }

  async create(): Promise<void> {
    const name = `n${this.random(8)}`;
    const change: Partial<CreateNetworkRequest> = {
      internal: this.random(4) === 0,
      enableIpv6: this.random(3) === 0,
    };
    if (this.random(3) === 0) {
      const subnet = `10.${this.random(4)}.0.0/${[16, 24, 29][this.random(3)]}`;
      change.subnets = [{ subnet, ipRange: '', gateway: '', auxAddresses: {} }];
    }
    const wanted = change.subnets?.[0]?.subnet;
    const isTaken = this.networks.has(name) || (wanted !== undefined && this.#overlaps(wanted));
    const made = await this.net.create(request(name, change)).catch((error: unknown) => error);
    expect(made instanceof EngineError, `creation of ${name}`).toBe(isTaken);
    if (!(made instanceof Error)) this.networks.set(name, made as NetworkInfo);
  }

  async remove(): Promise<void> {
    const network = this.#anyNetwork();
    if (network === undefined) return;
    const isUsed = [...this.members.values()].some((own) => own.has(network.name));
    const failure = await this.net.remove(network.id).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure instanceof EngineError, `removal of ${network.name}`).toBe(isUsed);
    if (!isUsed) this.networks.delete(network.name);
  }

  async connect(): Promise<void> {
    const id = `c${this.random(CONTAINERS)}`;
    const network = this.random(4) === 0 ? await this.net.get('bridge') : this.#anyNetwork();
    const own = this.members.get(id) ?? new Map<string, Endpoint>();
    if (network === undefined || own.has(network.name)) return;
    if (!this.members.has(id)) await this.net.createNamespace(id);
    this.members.set(id, own);
    const gatewayPriority = this.random(3) - 1;
    const endpoint = await this.net
      .connect({ containerId: id, network: network.name, names: [id], gatewayPriority })
      .catch((error: unknown) => {
        expect(String(error)).toContain('no available IPv4 addresses');
        return undefined;
      });
    if (endpoint !== undefined) own.set(network.name, endpoint);
  }

  async disconnect(): Promise<void> {
    const own = [...this.members.values()][this.random(Math.max(1, this.members.size))];
    const [endpoint] = [...(own?.values() ?? [])];
    if (own === undefined || endpoint === undefined) return;
    await this.net.disconnect(endpoint);
    own.delete(endpoint.networkName);
  }

  async end(): Promise<void> {
    const [id, own] = [...this.members][this.random(Math.max(1, this.members.size))] ?? [];
    if (id === undefined || own === undefined) return;
    for (const endpoint of own.values()) await this.net.disconnect(endpoint);
    await this.net.removeNamespace(id);
    this.members.delete(id);
  }

  /** Killed and started again: the store and what runs are all that is left. */
  async restart(): Promise<void> {
    this.net = this.#open();
    await this.net.start();
    const endpoints = [...this.members.values()].flatMap((own) => [...own.values()]);
    await this.net.recover(endpoints, new Set(this.members.keys()));
  }

  async check(): Promise<void> {
    // Interfaces go by and by.
    await Bun.sleep(0);
    const infos = await this.net.list();
    expect(infos.map(({ name }) => name).toSorted()).toEqual(
      ['bridge', 'host', 'none', ...this.networks.keys()].toSorted(),
    );
    const endpoints = [...this.members.values()].flatMap((own) => [...own.values()]);
    checkAddresses(endpoints, infos);
    const veths = this.host.present.filter(({ kind }) => kind === 'veth').map(({ name }) => name);
    const ports = endpoints.filter(({ hostInterfaceName }) => hostInterfaceName !== '');
    expect(veths.toSorted()).toEqual(ports.map(({ hostInterfaceName }) => hostInterfaceName).toSorted());
    for (const { id } of infos)
      expect(ports.filter(({ networkId }) => networkId === id).length).toBeLessThanOrEqual(PORTS_PER_BRIDGE);
    const bridges = this.host.present.filter(({ kind }) => kind === 'bridge');
    expect(bridges).toHaveLength(this.networks.size + 1);
    expect(this.firewall.applied.at(-1)?.bridges).toHaveLength(this.networks.size + 1);
    const named = endpoints.filter(({ networkName }) => networkName !== 'bridge');
    expect([...this.names.endpoints.keys()].toSorted()).toEqual(
      named.map(({ endpointId }) => endpointId).toSorted(),
    );
    for (const [id, own] of this.members) this.#checkWays(id, [...own.values()], infos);
  }

  /** The way out is that of the highest priority, never an internal network. */
  #checkWays(id: string, own: readonly Endpoint[], infos: readonly NetworkInfo[]): void {
    const { interfaces, ways } = this.host.namespaces.get(this.net.namespacePath(id))!;
    expect([...interfaces.keys()].toSorted()).toEqual(
      own.map(({ interfaceName }) => interfaceName).toSorted(),
    );
    const open = own.filter(({ networkId }) => infos.find((one) => one.id === networkId)?.internal === false);
    const highest = Math.max(...open.map(({ gatewayPriority }) => gatewayPriority));
    const leading = open.filter(({ gatewayPriority }) => gatewayPriority === highest);
    if (open.length === 0) expect(ways.ipv4).toBeUndefined();
    else expect(leading.map(({ ipv4 }) => ipv4?.gateway)).toContain(ways.ipv4?.gateway);
  }

  #open(): BridgeNetworks {
    return new BridgeNetworks({
      portsPerBridge: PORTS_PER_BRIDGE,
      execRoot: '/absent',
      owner: '/data',
      logger: silentLogger,
      store: this.store,
      host: this.host,
      firewall: this.firewall,
      names: this.names,
      bip: '10.200.0.1/27',
    });
  }

  #anyNetwork(): NetworkInfo | undefined {
    return [...this.networks.values()][this.random(Math.max(1, this.networks.size))];
  }

  #overlaps(subnet: string): boolean {
    const wanted = parseCidr(subnet);
    return [...this.networks.values()]
      .flatMap(({ ipam }) => ipam.map((one) => parseCidr(one.subnet)))
      .some(
        (other) =>
          contains(other, { family: wanted.family, value: wanted.base }) ||
          contains(wanted, { family: other.family, value: other.base }),
      );
  }
}

/** Each of its own, and of its network. */
function checkAddresses(endpoints: readonly Endpoint[], infos: readonly NetworkInfo[]): void {
  const addresses = endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4?.address, ipv6?.address]);
  const given = addresses.filter((address) => address !== undefined);
  expect(new Set(given).size).toBe(given.length);
  for (const { networkId, ipv4 } of endpoints) {
    const subnet = infos.find(({ id }) => id === networkId)?.ipam.find((one) => !one.subnet.includes(':'));
    expect(contains(parseCidr(subnet?.subnet ?? ''), parseIp(ipv4?.address ?? '')!)).toBe(true);
  }
}

test.each([1, 2, 3, 4])(
  '%d: networks are what a model says after 2,500 random steps',
  async (seed) => {
    const trial = new Trial(seed);
    await trial.net.start();
    for (let step = 0; step < STEPS / 4; step++) {
      await trial.step();
      if (step % 10 === 0) await trial.check();
    }
    await trial.check();
  },
  60_000,
);
