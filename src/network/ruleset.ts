import type { GatewayMode, GatewayModes } from './bridge-options.ts';
import { type TransitGuard, transitChain } from './forwarding/transit-chain.ts';
import { elementsOf } from './ports/port-rules.ts';
import { type SharedPort, sharedChain, sharedElement } from './ports/shared-rules.ts';

/** What the rules know of one bridge. */
export interface BridgeRules {
  bridgeName: string;
  /** `172.17.0.0/16`; of both families. */
  subnets: string[];
  /** What leaves takes the host's address. */
  masquerade: boolean;
  /** Nothing leaves, and nothing comes in. */
  internal: boolean;
  /** Its containers may speak to each other. */
  interContainer: boolean;
  gatewayModes: GatewayModes;
}

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** A port of the host that leads to a container, or a container's own that hosts with a route to it reach. */
export interface PortRule {
  protocol: PortProtocol;
  /** Of the host; undefined: any. */
  hostAddress: string | undefined;
  /** Of one that is routed: 0. */
  hostPort: number;
  /** The container's; its family is the rule's. */
  address: string;
  port: number;
  /** `shared`: its chain of a shared port forwards to it. `routed`: nothing is translated, it is let through. */
  way: 'forwarded' | 'shared' | 'routed';
}

export interface FirewallState {
  /** Name of our table, one per daemon. */
  table: string;
  bridges: BridgeRules[];
  ports: PortRule[];
  shared: SharedPort[];
  transit: TransitGuard;
}

/**
 * Our table, whole. Loading it replaces an older one of the same name in the same transaction (and the one of an earlier release, which was
 * of family ip).
 *
 * Containers of one bridge speak to each other and to the outside; from outside, and from other bridges, only answers and published ports
 * come in. Accepting here overrules nobody's drop.
 */
export function ruleset(state: FirewallState): string {
  const { table, bridges } = state;
  return `table ip ${table}
delete table ip ${table}
table inet ${table}
delete table inet ${table}
table inet ${table} {
  set bridges {
    type ifname
    ${elements(bridges.map(({ bridgeName }) => quote(bridgeName)))}
  }
${portMaps(state.ports)}
${sharedMaps(state.shared)}
  chain loopback {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip saddr 127.0.0.0/8 drop
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname != "lo" ip daddr . meta l4proto . th dport @loopback4 drop
  }
  chain published {
    ip6 daddr ::1 return
    ip6 saddr fe80::/10 return
    ip saddr . meta l4proto . th dport @owners4 return
    ip6 saddr . meta l4proto . th dport @owners6 return
    ip daddr . meta l4proto . th dport vmap @shared4
    ip6 daddr . meta l4proto . th dport vmap @shared6
    dnat ip to ip daddr . meta l4proto . th dport map @ports4
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports6
    meta nfproto ipv4 meta l4proto . th dport vmap @anyshared4
    meta nfproto ipv6 meta l4proto . th dport vmap @anyshared6
    meta nfproto ipv4 dnat ip to meta l4proto . th dport map @anyports4
    meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @anyports6
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 return
    fib daddr type local jump published
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump published
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname @bridges ip saddr 127.0.0.0/8 masquerade
    iifname @bridges oifname @bridges ct status dnat masquerade
${lines(bridges.flatMap(hairpins))}${lines(bridges.flatMap(masquerades))}  }
  chain forward {
    type filter hook forward priority filter; policy accept;
${lines(bridges.flatMap(borders))}    oifname @bridges ct state established,related accept
    iifname @bridges ct state established,related accept
${lines(bridges.flatMap(neighbours))}    oifname @bridges ct status dnat accept
${lines(bridges.flatMap(routedDoors))}    oifname @bridges ip daddr . meta l4proto . th dport @routed4 accept
    oifname @bridges ip6 daddr . meta l4proto . th dport @routed6 accept
    iifname @bridges oifname @bridges drop
    iifname @bridges accept
${lines(bridges.flatMap(openDoors))}    oifname @bridges drop
  }
${transitChain(state.transit)}}
`;
}

function masquerades({ bridgeName, subnets, masquerade, internal, gatewayModes }: BridgeRules): string[] {
  if (!masquerade || internal) return [];
  return subnets
    .filter((subnet) => gatewayModes[subnet.includes(':') ? 6 : 4] !== 'routed')
    .map((subnet) => `${ipOf(subnet)} saddr ${subnet} oifname != ${quote(bridgeName)} masquerade`);
}

/** What goes back into the bridge that it came from. With br_netfilter the kernel doesn't route it, and knows no `iifname` here. */
function hairpins({ bridgeName, subnets }: BridgeRules): string[] {
  return subnets.map(
    (subnet) => `${ipOf(subnet)} saddr ${subnet} oifname ${quote(bridgeName)} ct status dnat masquerade`,
  );
}

function borders({ bridgeName, internal }: BridgeRules): string[] {
  const name = quote(bridgeName);
  return internal
    ? [`iifname ${name} oifname != ${name} drop`, `oifname ${name} iifname != ${name} drop`]
    : [];
}

function neighbours({ bridgeName, interContainer }: BridgeRules): string[] {
  const name = quote(bridgeName);
  if (interContainer) return [`iifname ${name} oifname ${name} accept`];
  return [`iifname ${name} oifname ${name} ct status dnat accept`, `iifname ${name} oifname ${name} drop`];
}

/** Behind what is said of bridges among each other. */
function openDoors(bridge: BridgeRules): string[] {
  return familiesWith(bridge, 'nat-unprotected').map(
    (family) => `meta nfproto ipv${family} oifname ${quote(bridge.bridgeName)} accept`,
  );
}

/** A routed network answers pings, also those of other networks; its ports are in the sets. */
function routedDoors(bridge: BridgeRules): string[] {
  return familiesWith(bridge, 'routed').map(
    (family) =>
      `meta nfproto ipv${family} meta l4proto ${family === 4 ? 'icmp' : 'ipv6-icmp'} oifname ${quote(bridge.bridgeName)} accept`,
  );
}

function familiesWith({ gatewayModes, internal }: BridgeRules, mode: GatewayMode): (4 | 6)[] {
  return internal ? [] : ([4, 6] as const).filter((family) => gatewayModes[family] === mode);
}

/**
 * `owners`: a container's own connections to what it publishes, which would have to leave by the port of the bridge that they came from.
 * `routed`: ports of containers that are reached without translation. `loopback`: those of 127.0.0.1 and its like are for this machine alone,
 * even where `net.ipv4.conf.all.route_localnet` is on (the kernel knows no such switch for `::1`).
 */
function portMaps(ports: readonly PortRule[]): string {
  const entries = elementsOf(ports);
  return ([4, 6] as const)
    .flatMap((family) => {
      const [address, target] = [`ipv${family}_addr`, `ipv${family}_addr . inet_service`];
      return [
        ['map', `ports${family}`, `${address} . inet_proto . inet_service : ${target}`],
        ['map', `anyports${family}`, `inet_proto . inet_service : ${target}`],
        ['set', `owners${family}`, `${address} . inet_proto . inet_service`],
        ...(family === 4 ? [['set', 'loopback4', 'ipv4_addr . inet_proto . inet_service'] as const] : []),
        ['set', `routed${family}`, `${address} . inet_proto . inet_service`],
      ] as const;
    })
    .map(
      ([kind, name, type]) =>
        `  ${kind} ${name} {\n    type ${type}\n    ${elements(entries.get(name) ?? [])}\n  }`,
    )
    .join('\n');
}

/** Chains stand before the maps that lead to them. */
function sharedMaps(ports: readonly SharedPort[]): string {
  const found = ports.map(sharedElement);
  const maps = ([4, 6] as const).flatMap((family) => [
    [`shared${family}`, `ipv${family}_addr . inet_proto . inet_service : verdict`] as const,
    [`anyshared${family}`, 'inet_proto . inet_service : verdict'] as const,
  ]);
  const chains = ports.map(sharedChain).join('');
  return `${chains}${maps
    .map(([name, type]) => {
      const texts = found.filter(({ map }) => map === name).map(({ text }) => text);
      return `  map ${name} {\n    type ${type}\n    ${elements(texts)}\n  }`;
    })
    .join('\n')}`;
}

/** nft knows no empty list. */
function elements(entries: readonly string[]): string {
  return entries.length === 0 ? '' : `elements = { ${entries.join(', ')} }`;
}

function lines(rules: readonly string[]): string {
  return rules.map((rule) => `    ${rule}\n`).join('');
}

function ipOf(subnet: string): string {
  return subnet.includes(':') ? 'ip6' : 'ip';
}

function quote(name: string): string {
  return JSON.stringify(name);
}
