import { EngineError } from '../../errors/engine-error.ts';
import type { IpPrefix } from '../../sys/links.ts';
import type { Firewall } from '../firewall.ts';
import type { Family, FamilyForwarding, HostForwarding } from '../forwarding/host-forwarding.ts';
import type {
  AttachRequest,
  BridgeRequest,
  DefaultWays,
  HostLink,
  HostNetwork,
  ParentRequest,
} from '../host-network.ts';
import type {
  NamedContainer,
  NamedEndpoint,
  NamePorts,
  NameServer,
  NameState,
} from '../names/name-server.ts';
import type { FirewallState } from '../ruleset.ts';

/** A host's interfaces and namespaces, in memory; keeps what was asked for. */
export class FakeHostNetwork implements HostNetwork {
  readonly bridges: BridgeRequest[] = [];
  readonly attached: AttachRequest[] = [];
  readonly removed: string[] = [];
  /** By path: interfaces and ways out. */
  readonly namespaces = new Map<string, { interfaces: Map<string, AttachRequest>; ways: DefaultWays }>();
  present: HostLink[] = [];
  used: IpPrefix[] = [];
  bridgeAddresses: IpPrefix[] = [];
  readonly forwarded = new Set<Family>([4, 6]);
  /** Called when it was turned on or off. */
  onForwarding: () => void = () => undefined;
  removal: () => Promise<void> = () => Promise.resolve();

  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  links(): Promise<HostLink[]> {
    return Promise.resolve([...this.present]);
  }

  usedSubnets(): Promise<IpPrefix[]> {
    return Promise.resolve(this.used);
  }

  addressesOf(): Promise<IpPrefix[]> {
    return Promise.resolve(this.bridgeAddresses);
  }

  createNamespace(path: string): Promise<boolean> {
    this.#namespace(path);
    return Promise.resolve(false);
  }

  removeNamespace(path: string): Promise<void> {
    const gone = this.namespaces.get(path)?.interfaces ?? new Map<string, AttachRequest>();
    this.namespaces.delete(path);
    for (const { to } of gone.values()) if (to.kind === 'bridge') this.#dropLink(to.hostInterfaceName);
    return Promise.resolve();
  }

  ensureBridge(request: BridgeRequest): Promise<void> {
    this.bridges.push(request);
    if (!this.present.some(({ name }) => name === request.name))
      this.present.push({ name: request.name, kind: 'bridge', alias: request.owner });
    return Promise.resolve();
  }

  ensureParent({ name, owner }: ParentRequest): Promise<void> {
    if (!this.present.some((link) => link.name === name))
      this.present.push({ name, kind: 'dummy', alias: owner });
    return Promise.resolve();
  }

  attach(request: AttachRequest): Promise<string> {
    const { to, namespacePath, interfaceName, ways } = request;
    const { interfaces } = this.#namespace(namespacePath);
    if (interfaces.has(interfaceName)) throw new EngineError('internal', `${interfaceName} is there already`);
    this.attached.push(request);
    interfaces.set(interfaceName, request);
    this.#namespace(namespacePath).ways = ways;
    if (to.kind === 'bridge') this.present.push({ name: to.hostInterfaceName, kind: 'veth', alias: '' });
    return Promise.resolve(request.macAddress ?? '02:00:00:00:00:01');
  }

  setWays(path: string, ways: DefaultWays): Promise<void> {
    this.#namespace(path).ways = ways;
    return Promise.resolve();
  }

  async removeLink(name: string): Promise<void> {
    await this.removal();
    this.removed.push(name);
    this.#dropLink(name);
    for (const [path, { interfaces }] of this.namespaces)
      for (const [inside, { to }] of interfaces)
        if (to.kind === 'bridge' && to.hostInterfaceName === name) this.#dropInside(path, inside);
  }

  async removeLinkInside(path: string, name: string): Promise<void> {
    await this.removal();
    this.#dropInside(path, name);
  }

  forwarding(): Promise<HostForwarding> {
    const family = (on: boolean): FamilyForwarding => ({ on, interfaces: [] });
    return Promise.resolve({
      ipv4: family(this.forwarded.has(4)),
      ipv6: family(this.forwarded.has(6)),
      uplinks: [],
    });
  }

  setForwarding(family: Family, { on }: { on: boolean }): Promise<void> {
    if (on) this.forwarded.add(family);
    else this.forwarded.delete(family);
    this.onForwarding();
    return Promise.resolve();
  }

  redirectNames = () => Promise.resolve();
  nft = () => Promise.resolve();
  forgetFlows = () => Promise.resolve();
  rulesGeneration = () => Promise.resolve(1);
  close = () => Promise.resolve();

  #namespace(path: string): { interfaces: Map<string, AttachRequest>; ways: DefaultWays } {
    const made = this.namespaces.get(path) ?? {
      interfaces: new Map<string, AttachRequest>(),
      ways: { ipv4: undefined, ipv6: undefined },
    };
    this.namespaces.set(path, made);
    return made;
  }

  /** Routes go with their interface. */
  #dropInside(path: string, name: string): void {
    const namespace = this.namespaces.get(path);
    if (namespace === undefined) return;
    const { interfaces, ways } = namespace;
    interfaces.delete(name);
    namespace.ways = {
      ipv4: ways.ipv4?.interfaceName === name ? undefined : ways.ipv4,
      ipv6: ways.ipv6?.interfaceName === name ? undefined : ways.ipv6,
    };
  }

  #dropLink(name: string): void {
    this.present = this.present.filter((link) => link.name !== name);
  }
}

export class FakeFirewall implements Firewall {
  readonly applied: FirewallState[] = [];
  readonly removed: FirewallState[] = [];

  apply(state: FirewallState): Promise<void> {
    this.applied.push(state);
    return Promise.resolve();
  }

  change = () => Promise.resolve();
  generation = () => Promise.resolve(1);
  foreignRules = () => Promise.resolve({ chains: new Map(), unread: [] });
  repair = () => Promise.resolve({ warnings: ['WARNING: something'], restored: false });

  remove(state: FirewallState): Promise<void> {
    this.removed.push(state);
    return Promise.resolve();
  }
}

/** What a name server would know. */
export class FakeNameServer implements NameServer {
  readonly containers = new Map<string, NamedContainer>();
  readonly endpoints = new Map<string, NamedEndpoint>();

  adopt({ containers, endpoints }: NameState): Promise<Map<string, NamePorts>> {
    this.containers.clear();
    this.endpoints.clear();
    for (const container of containers) this.containers.set(container.id, container);
    for (const endpoint of endpoints) this.endpoints.set(endpoint.id, endpoint);
    return Promise.resolve(new Map(containers.map(({ id }) => [id, { udp: 1, tcp: 2 }])));
  }

  serve(container: NamedContainer): Promise<NamePorts> {
    this.containers.set(container.id, container);
    return Promise.resolve({ udp: 1, tcp: 2 });
  }

  forget(containerId: string): Promise<void> {
    this.containers.delete(containerId);
    return Promise.resolve();
  }

  add(endpoint: NamedEndpoint): Promise<void> {
    this.endpoints.set(endpoint.id, endpoint);
    return Promise.resolve();
  }

  remove(endpointId: string): Promise<void> {
    this.endpoints.delete(endpointId);
    return Promise.resolve();
  }

  onLost = () => undefined;
  close = () => Promise.resolve();
}
