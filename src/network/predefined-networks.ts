import { createHash } from 'node:crypto';
import { type Cidr, formatCidr, formatIp, networkOf } from '../sys/ip.ts';
import type { NetworkInfo } from './network-driver.ts';

export interface PredefinedNetworksInput {
  /** Ids are made from it: the same at each start. */
  owner: string;
  createdNano: bigint;
  /** Undefined before the start. */
  bridge: { name: string; address: Cidr } | undefined;
  mtu: number;
}

/** The three networks that are always there, in the order of Docker's listing. */
export function predefinedNetworks(input: PredefinedNetworksInput): NetworkInfo[] {
  const { bridge } = input;
  const ofBridge =
    bridge === undefined
      ? {}
      : {
          ipam: [
            {
              subnet: formatCidr(networkOf(bridge.address)),
              ipRange: '',
              gateway: formatIp({ family: bridge.address.family, value: bridge.address.base }),
              gatewayShown: true,
              subnetChosen: false,
              auxAddresses: {},
            },
          ],
          options: bridgeOptions(bridge.name, input.mtu),
        };
  return [
    { ...network('bridge', 'bridge', input), ...ofBridge },
    network('host', 'host', input),
    network('none', 'null', input),
  ];
}

/** By name, id, or a prefix of the id that is no other's. */
export function findNetwork(networks: readonly NetworkInfo[], text: string): NetworkInfo | undefined {
  const exact = networks.find(({ name, id }) => name === text || id === text);
  if (exact !== undefined || text === '') return exact;
  const matching = networks.filter(({ id }) => id.startsWith(text));
  return matching.length === 1 ? matching[0] : undefined;
}

function network(name: string, driver: NetworkInfo['driver'], input: PredefinedNetworksInput): NetworkInfo {
  return {
    id: createHash('sha256').update(`${input.owner}\0${name}`).digest('hex'),
    name,
    driver,
    scope: 'local',
    createdNano: input.createdNano,
    internal: false,
    attachable: false,
    enableIpv4: true,
    enableIpv6: false,
    configOnly: false,
    configFrom: '',
    ipamDriver: 'default',
    ipamOptions: undefined,
    ipam: [],
    options: {},
    labels: {},
  };
}

function bridgeOptions(name: string, mtu: number): Record<string, string> {
  return {
    'com.docker.network.bridge.default_bridge': 'true',
    'com.docker.network.bridge.enable_icc': 'true',
    'com.docker.network.bridge.enable_ip_masquerade': 'true',
    'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
    'com.docker.network.bridge.name': name,
    'com.docker.network.driver.mtu': String(mtu),
  };
}

/** Networks on which containers find each other by name: all but the predefined ones. */
export function servesNames({
  networkName,
  networkDriver,
}: {
  networkName: string;
  networkDriver: string;
}): boolean {
  return networkName !== 'bridge' && ['bridge', 'macvlan', 'ipvlan'].includes(networkDriver);
}
