import type { Endpoint } from '../network-driver.ts';
import { ruleOf } from '../ports/port-rules.ts';
import type { PortHolding } from '../ports/published-ports.ts';
import type { BridgeRules } from '../ruleset.ts';
import type { ExposedPorts, Exposure, HostInterface } from './exposure.ts';
import type { ForeignRules } from './foreign-rules.ts';
import { judgePacket, type Packet } from './judge-packet.ts';

export interface ExposureFacts {
  /** Running containers. */
  containers: readonly ExposedPorts[];
  endpoints: readonly Endpoint[];
  holdings: readonly PortHolding[];
  /** By the network's id. */
  bridges: ReadonlyMap<string, BridgeRules>;
  /** Of the host, without our bridges. */
  interfaces: readonly HostInterface[];
  foreign: ForeignRules;
  /** Name of our table. */
  table: string;
}

type Answer = Pick<Exposure, 'from' | 'reachable' | 'reason'> & { address?: string };

/** Which ports are reached from where, by what is bound, what our rules do and what those of others do. Decides, and asks nobody. */
export function planExposure(facts: ExposureFacts): Exposure[] {
  return facts.containers.flatMap((container) => {
    const endpoints = facts.endpoints.filter(({ containerId }) => containerId === container.containerId);
    const holdings = facts.holdings.filter(({ containerId }) => containerId === container.containerId);
    return [
      ...holdings
        .filter(({ routed }) => routed !== true)
        .flatMap((holding) => publishedRows(holding, endpoints, facts)),
      ...endpoints.flatMap((endpoint) => ownRows(container, endpoint, facts)),
    ];
  });
}

function publishedRows(
  holding: PortHolding,
  endpoints: readonly Endpoint[],
  facts: ExposureFacts,
): Exposure[] {
  const endpoint = endpoints.find(({ ipv4, ipv6 }) =>
    [ipv4?.address, ipv6?.address].includes(holding.target),
  );
  const bridge = facts.bridges.get(endpoint?.networkId ?? '');
  const { containerId, containerName, protocol, containerPort, hostAddress, hostPort } = holding;
  return publishedAnswers(holding, bridge, facts).map(({ address = hostAddress, ...answer }) => ({
    containerId,
    containerName,
    network: endpoint?.networkName ?? '',
    protocol,
    containerPort,
    address,
    port: hostPort,
    published: true,
    ...answer,
  }));
}

function publishedAnswers(
  holding: PortHolding,
  bridge: BridgeRules | undefined,
  facts: ExposureFacts,
): Answer[] {
  const { hostAddress } = holding;
  const isAny = hostAddress === '0.0.0.0' || hostAddress === '::';
  const isLoopback = hostAddress === '::1' || hostAddress.startsWith('127.');
  const bound = isAny ? 'bound to all addresses' : `bound to ${hostAddress}`;
  const places = placesOf(holding, facts.interfaces);
  if (holding.shared === true && holding.resting === true) {
    const reason = 'a shared port: the container is starting, unhealthy, paused or stopping';
    const from = ['this machine', ...places.map(({ name }) => `hosts on ${name}`), 'other networks'];
    return from.map((each) => ({ from: each, reachable: 'no' as const, reason }));
  }
  const seen = (from: string, packet: Packet, address?: string): Answer => ({
    from,
    ...told(judgePacket(facts.foreign, packet), bound),
    ...(address === undefined ? {} : { address }),
  });
  const machine = seen('this machine', packetTo(holding, { bridge, incoming: 'lo', local: true }));
  if (isLoopback)
    return [
      machine,
      { from: 'other hosts', reachable: 'no', reason: bound },
      { from: 'other networks', reachable: 'no', reason: bound },
    ];
  if (places.length === 0)
    return [machine, { from: 'other hosts', reachable: 'no', reason: `${bound}: no interface has one` }];
  return [
    machine,
    ...places.map(({ name, address }) =>
      seen(
        `hosts on ${name}`,
        packetTo({ ...holding, hostAddress: address }, { bridge, incoming: name }),
        address,
      ),
    ),
    hasOthers(holding, bridge, facts)
      ? seen('other networks', packetTo(holding, { bridge, incoming: undefined }))
      : { from: 'other networks', reachable: 'no', reason: 'no other network has addresses of this family' },
  ];
}

function hasOthers(
  { hostAddress }: PortHolding,
  own: BridgeRules | undefined,
  { bridges }: ExposureFacts,
): boolean {
  return [...bridges.values()].some(
    (bridge) =>
      bridge.bridgeName !== own?.bridgeName &&
      !bridge.internal &&
      bridge.subnets.some((subnet) => subnet.includes(':') === hostAddress.includes(':')),
  );
}

/** Interfaces by which other hosts come to the port, each with an address of it there. */
function placesOf(
  { hostAddress }: PortHolding,
  interfaces: readonly HostInterface[],
): { name: string; address: string }[] {
  const isWanted = (address: string): boolean =>
    hostAddress === '0.0.0.0' || hostAddress === '::'
      ? address.includes(':') === hostAddress.includes(':')
      : address === hostAddress;
  return interfaces.flatMap(({ name, addresses }) => {
    const address = addresses.find(isWanted);
    return address === undefined ? [] : [{ name, address }];
  });
}

/** What the kernel forwards is filtered on its way to the bridge; what the helper carries, on its way in. */
function packetTo(
  holding: PortHolding,
  way: { bridge: BridgeRules | undefined; incoming: string | undefined; local?: boolean },
): Packet {
  const { protocol, hostAddress, hostPort, target, containerPort } = holding;
  const isForwarded = ruleOf(holding) !== undefined;
  if (!isForwarded)
    return {
      hook: 'input',
      family: hostAddress.includes(':') ? 6 : 4,
      protocol,
      incoming: way.incoming,
      outgoing: undefined,
      destination: hostAddress,
      port: hostPort,
      translated: false,
    };
  return {
    hook: way.local === true ? 'output' : 'forward',
    family: target.includes(':') ? 6 : 4,
    protocol,
    incoming: way.local === true ? '' : way.incoming,
    outgoing: way.bridge?.bridgeName,
    destination: target,
    port: containerPort,
    translated: true,
  };
}

/** The container's own ports, published or not, at its own addresses. */
function ownRows(container: ExposedPorts, endpoint: Endpoint, facts: ExposureFacts): Exposure[] {
  const bridge = facts.bridges.get(endpoint.networkId);
  if (bridge === undefined) return [];
  const addresses = [endpoint.ipv4?.address, endpoint.ipv6?.address].filter((one) => one !== undefined);
  const { containerId, containerName } = container;
  return container.ports.flatMap((port) =>
    addresses.flatMap((address) => {
      const isRouted = facts.holdings.some(
        ({ routed, target, protocol, containerPort }) =>
          routed === true &&
          target === address &&
          protocol === port.protocol &&
          containerPort === port.containerPort,
      );
      const own = { ...port, address, network: endpoint.networkName, isRouted };
      return ownAnswers(own, bridge, facts).map((answer) => ({
        containerId,
        containerName,
        network: endpoint.networkName,
        ...port,
        address,
        port: port.containerPort,
        published: isRouted,
        ...answer,
      }));
    }),
  );
}

function ownAnswers(
  own: { protocol: string; containerPort: number; address: string; network: string; isRouted: boolean },
  bridge: BridgeRules,
  { foreign, table }: ExposureFacts,
): Answer[] {
  const family = own.address.includes(':') ? 6 : 4;
  const ours = (from: string, reason: string): Answer => ({ from, reachable: 'no', reason });
  const neighbours: Answer = bridge.interContainer
    ? { from: `network ${own.network}`, reachable: 'yes', reason: 'on the same bridge' }
    : ours(`network ${own.network}`, 'enable_icc is off');
  const mode = bridge.gatewayModes[family];
  const machine: Answer =
    mode === 'isolated'
      ? ours('this machine', 'gateway mode isolated: it has no address there')
      : { from: 'this machine', reachable: 'yes', reason: `by ${bridge.bridgeName}` };
  const apart = ours('other networks', 'networks are kept apart');
  const rule = `chain forward of table inet ${table}`;
  if (bridge.internal) return [neighbours, machine, apart, ours('other hosts', `internal network: ${rule}`)];
  if (!own.isRouted && mode !== 'nat-unprotected')
    return [neighbours, machine, apart, ours('other hosts', `not published: ${rule}`)];
  const packet: Packet = {
    hook: 'forward',
    family,
    protocol: own.protocol,
    incoming: undefined,
    outgoing: bridge.bridgeName,
    destination: own.address,
    port: own.containerPort,
    translated: false,
  };
  const open = told(judgePacket(foreign, packet), `gateway mode ${mode}: who has a route`);
  const others: Answer = own.isRouted ? { from: 'other networks', ...open } : apart;
  return [neighbours, machine, others, { from: 'other hosts', ...open }];
}

function told(
  { verdict, reason }: ReturnType<typeof judgePacket>,
  bound: string,
): Pick<Exposure, 'reachable' | 'reason'> {
  if (verdict === 'accept') return { reachable: 'yes', reason: bound };
  return { reachable: verdict === 'drop' ? 'no' : 'maybe', reason };
}
