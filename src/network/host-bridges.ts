import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { type Cidr, formatIp, networkOf, parseCidr, parseIp } from '../sys/ip.ts';
import type { IpPrefix } from '../sys/links.ts';
import { macAddressOf } from './address-pool.ts';
import { gatewayModesOf, parseBridgeOptions, parseMtu } from './bridge-options.ts';
import type { Attachment, HostLink, HostNetwork, Trunk } from './host-network.ts';
import type { Endpoint, NetworkInfo, NetworkSubnet } from './network-driver.ts';
import { parentOptions } from './parent-options.ts';
import { readHostResolvConf } from './resolv-conf.ts';
import type { BridgeRules } from './ruleset.ts';
import { chooseSubnet, type SubnetPool } from './subnet-pools.ts';

export interface HostBridgesOptions {
  host: HostNetwork;
  /** Told apart from other daemons' by it. */
  suffix: string;
  bridgeName: string | undefined;
  bip: string | undefined;
  mtu: number;
  pools: readonly SubnetPool[];
  logger: Logger;
}

const DEFAULT_BRIDGE_NAME = 'sampan0';

/** What networks have on the host: bridges, and the interfaces that macvlan and ipvlan stand on. */
export class HostBridges {
  readonly #options: HostBridgesOptions;
  readonly #host: HostNetwork;

  constructor(options: HostBridgesOptions) {
    this.#options = options;
    this.#host = options.host;
  }

  /** The default bridge's name and address, chosen so that it keeps clear of what is there. */
  async chooseDefault(networks: readonly NetworkInfo[]): Promise<{ name: string; address: Cidr }> {
    const name = await this.#defaultName();
    return { name, address: await this.#defaultAddress(name, networks) };
  }

  /** Make or repair what a network needs. @throws EngineError as `HostNetwork`. */
  async ensure(network: NetworkInfo, endpoints: readonly Endpoint[]): Promise<void> {
    if (network.driver === 'bridge') await this.#ensureBridge(network, endpoints);
    else if (network.driver === 'macvlan' || network.driver === 'ipvlan') {
      const { parent, make } = parentOptions(network.driver, network.id, network);
      await this.#host.ensureParent({ name: parent, owner: this.markOf(network), make });
    }
  }

  /** What `ensure` has made; what was there before stays. */
  async remove(network: NetworkInfo): Promise<void> {
    const name = this.#madeLink(network);
    const trunk = this.#trunkOf(network);
    for (const link of await this.#host.links()) {
      const isMade = link.name === name && link.alias === this.markOf(network);
      if (isMade || (link.name === trunk.port && link.alias === trunk.owner))
        await this.#host.removeLink(link.name);
    }
  }

  /** Links of ours that belong to none of these networks. */
  async removeOrphans(networks: readonly NetworkInfo[]): Promise<void> {
    const marks = new Set(
      networks.flatMap((network) => [this.markOf(network), this.#trunkOf(network).owner]),
    );
    for (const { name, alias, kind } of await this.#host.links()) {
      if (!alias.startsWith(`${this.#mark} `) || marks.has(alias)) continue;
      this.#options.logger.info('Removing the interface of a network that is gone', {
        interface: name,
        kind,
      });
      await this.#host.removeLink(name);
    }
  }

  /** `hostInterfaceName`: its port of the bridge; '': it hangs on the trunk. */
  attachment(network: NetworkInfo, hostInterfaceName: string): Attachment {
    if (network.driver === 'bridge') {
      const bridge = {
        bridgeName: this.bridgeName(network),
        owner: this.markOf(network),
        isolated: !parseBridgeOptions(network.options).interContainer,
      };
      return hostInterfaceName === ''
        ? { kind: 'trunk', ...bridge, trunk: this.#trunkOf(network) }
        : { kind: 'bridge', ...bridge, hostInterfaceName };
    }
    const { parent, type } = parentOptions(network.driver, network.id, network);
    return { kind: 'parent', parent, type };
  }

  mtuOf(network: NetworkInfo): number {
    const asked = parseMtu(network.options);
    if (asked !== undefined) return asked;
    return network.driver === 'bridge' ? this.#options.mtu : 0;
  }

  bridgeName(network: NetworkInfo): string {
    return parseBridgeOptions(network.options).name ?? `br-${network.id.slice(0, 12)}`;
  }

  rulesOf(network: NetworkInfo): BridgeRules {
    const { interContainer, masquerade } = parseBridgeOptions(network.options);
    return {
      bridgeName: this.bridgeName(network),
      subnets: network.ipam.map(({ subnet }) => subnet),
      masquerade,
      internal: network.internal,
      interContainer,
      gatewayModes: gatewayModesOf(network),
    };
  }

  /** Written to the alias of what is ours. */
  markOf(network: NetworkInfo): string {
    return network.name === 'bridge' ? this.#mark : `${this.#mark} ${network.id.slice(0, 12)}`;
  }

  async #ensureBridge(network: NetworkInfo, endpoints: readonly Endpoint[]): Promise<void> {
    const [first] = network.ipam
      .map(({ gateway }) => gateway)
      .filter((gateway) => gateway !== '' && !gateway.includes(':'));
    await this.#host.ensureBridge({
      name: this.bridgeName(network),
      owner: this.markOf(network),
      // Without one of its own a bridge takes that of a port, and changes it as containers come and go.
      macAddress: first === undefined ? bridgeMac(network.id) : macAddressOf(first),
      addresses: network.ipam.filter((one) => isUsed(one, network)).map(gatewayPrefix),
      mtu: this.mtuOf(network),
      ports: endpoints.flatMap(({ hostInterfaceName }) => hostInterfaceName || []),
      isolated: !parseBridgeOptions(network.options).interContainer,
      trunk: endpoints.some(({ hostInterfaceName }) => hostInterfaceName === '')
        ? this.#trunkOf(network)
        : undefined,
    });
  }

  #trunkOf(network: NetworkInfo): Trunk {
    const name = `${this.#options.suffix.slice(0, 5)}${network.id.slice(0, 7)}`;
    return {
      port: `vt${name}`,
      parent: `vu${name}`,
      owner: `${this.#mark} trunk ${network.id.slice(0, 12)}`,
    };
  }

  #madeLink(network: NetworkInfo): string | undefined {
    if (network.driver === 'bridge') return this.bridgeName(network);
    const isSub = network.driver === 'macvlan' || network.driver === 'ipvlan';
    return isSub ? parentOptions(network.driver, network.id, network).parent : undefined;
  }

  /** Ours is found again by its mark, whatever it was called by default. */
  async #defaultName(): Promise<string> {
    if (this.#options.bridgeName !== undefined) return this.#options.bridgeName;
    const links = await this.#host.links();
    const ours = links.find(({ kind, alias }) => kind === 'bridge' && alias === this.#mark);
    if (ours !== undefined) return ours.name;
    const taken = links.some(({ name }) => name === DEFAULT_BRIDGE_NAME);
    return taken ? `smp-${this.#options.suffix}` : DEFAULT_BRIDGE_NAME;
  }

  /** The configured one, else the one that the bridge has (containers may be on it), else a free one. */
  async #defaultAddress(name: string, networks: readonly NetworkInfo[]): Promise<Cidr> {
    if (this.#options.bip !== undefined) return parseCidr(this.#options.bip);
    const present = (await this.#host.addressesOf(name)).find(({ address }) => !address.includes(':'));
    if (present !== undefined) return parseCidr(`${present.address}/${present.prefixLength}`);
    const others = networks
      .filter(({ configOnly }) => !configOnly)
      .flatMap(({ ipam }) => ipam.map(({ subnet }) => parseCidr(subnet)));
    const subnet = chooseSubnet(this.#options.pools, 4, [...(await this.usedSubnets(name)), ...others]);
    return { ...subnet, base: subnet.base + 1n };
  }

  /** On the host, with its name servers. */
  async usedSubnets(exceptLink: string | undefined): Promise<Cidr[]> {
    const used = await this.#host.usedSubnets(exceptLink);
    const { nameservers } = await readHostResolvConf();
    const servers = nameservers.map((address) => ({
      address,
      prefixLength: address.includes(':') ? 128 : 32,
    }));
    return [...used, ...servers].flatMap(toCidr);
  }

  get #mark(): string {
    return `sampan ${this.#options.suffix}`;
  }
}

/** Whether the bridge has the gateway's address. The network of an isolated family has none, or leads to another machine's. */
function isUsed({ subnet, gateway }: NetworkSubnet, network: NetworkInfo): boolean {
  const isIpv6 = subnet.includes(':');
  if (gateway === '' || gatewayModesOf(network)[isIpv6 ? 6 : 4] === 'isolated') return false;
  return isIpv6 ? network.enableIpv6 : network.enableIpv4;
}

function gatewayPrefix({ subnet, gateway }: { subnet: string; gateway: string }): IpPrefix {
  return { address: gateway, prefixLength: parseCidr(subnet).prefixLength };
}

function bridgeMac(id: string): string {
  return `02:42:${(id.slice(0, 8).match(/../g) ?? []).join(':')}`;
}

function toCidr({ address, prefixLength }: IpPrefix): Cidr[] {
  const ip = parseIp(address);
  return ip === undefined ? [] : [{ family: ip.family, base: ip.value, prefixLength }];
}

/** Another engine's, a hypervisor's: somebody for whom packets may have to be forwarded. `suffix`: ours. */
export function hasBridgesOfOthers(links: readonly HostLink[], suffix: string): boolean {
  const mark = `sampan ${suffix}`;
  return links.some(
    ({ kind, alias }) => kind === 'bridge' && alias !== mark && !alias.startsWith(`${mark} `),
  );
}

/** @throws EngineError "invalid" on a `--bip` that is no host's address. */
export function checkBip(bip: string): void {
  const address = parseCidr(bip);
  if (address.prefixLength > 30 || networkOf(address).base === address.base) {
    throw new EngineError('invalid', `Invalid --bip ${JSON.stringify(bip)}: not the address of a host`, {
      hint: 'Give the address that the bridge gets and the length of its subnet, such as 172.20.0.1/16.',
    });
  }
}

export function gatewayText(address: Cidr): string {
  return formatIp({ family: address.family, value: address.base });
}
