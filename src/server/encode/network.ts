import type { ContainerView } from '../../containers/container.ts';
import type { NetworkEndpointView } from '../../containers/networking/endpoint-view.ts';
import type { NetworkMember } from '../../containers/networking/network-backend.ts';
import type { NetworkInfo } from '../../network/network-driver.ts';
import type { EndpointSettings, NetworkInspect, NetworkSettings } from '../../wire/network.ts';
import { formatTime } from '../../wire/time.ts';
import { encodePorts } from './ports.ts';

export function encodeEndpoint(endpoint: NetworkEndpointView): EndpointSettings {
  const { asked } = endpoint;
  return {
    IPAMConfig: encodeIpamConfig(asked),
    Links: orNull(asked.links),
    Aliases: orNull(asked.aliases),
    MacAddress: endpoint.macAddress || asked.macAddress,
    DriverOpts: Object.keys(asked.driverOptions).length === 0 ? null : asked.driverOptions,
    GwPriority: asked.gatewayPriority,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.endpointId,
    Gateway: endpoint.gateway,
    IPAddress: endpoint.ipv4Address,
    IPPrefixLen: endpoint.ipv4PrefixLength,
    IPv6Gateway: endpoint.ipv6Gateway,
    GlobalIPv6Address: endpoint.ipv6Address,
    GlobalIPv6PrefixLen: endpoint.ipv6PrefixLength,
    DNSNames: endpoint.names ?? null,
  };
}

function encodeIpamConfig(asked: NetworkEndpointView['asked']): EndpointSettings['IPAMConfig'] {
  const { ipv4Address, ipv6Address, linkLocalAddresses } = asked;
  if (ipv4Address === '' && ipv6Address === '' && linkLocalAddresses.length === 0) return null;
  return {
    ...(ipv4Address === '' ? {} : { IPv4Address: ipv4Address }),
    ...(ipv6Address === '' ? {} : { IPv6Address: ipv6Address }),
    ...(linkLocalAddresses.length === 0 ? {} : { LinkLocalIPs: linkLocalAddresses }),
  };
}

function orNull<T>(list: T[]): T[] | null {
  return list.length === 0 ? null : list;
}

/** `Networks` of inspect and list. */
export function encodeEndpoints(view: ContainerView): Record<string, EndpointSettings> {
  return Object.fromEntries(
    view.endpoints.map((endpoint) => [endpoint.networkName, encodeEndpoint(endpoint)]),
  );
}

export function encodeNetworkSettings(view: ContainerView): NetworkSettings {
  const bridge = view.endpoints.find(({ networkName }) => networkName === 'bridge');
  return {
    Bridge: '',
    // The namespace is the container's own, and bears its name.
    SandboxID: view.sandboxPath === undefined ? '' : view.id,
    SandboxKey: view.sandboxPath ?? '',
    Ports: encodePorts(view),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.endpointId ?? '',
    Gateway: bridge?.gateway ?? '',
    GlobalIPv6Address: bridge?.ipv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.ipv6PrefixLength ?? 0,
    IPAddress: bridge?.ipv4Address ?? '',
    IPPrefixLen: bridge?.ipv4PrefixLength ?? 0,
    IPv6Gateway: bridge?.ipv6Gateway ?? '',
    MacAddress: bridge?.macAddress ?? '',
    Networks: encodeEndpoints(view),
  };
}

/** One network; `members` are those that are shown on it (none in a list). */
export function encodeNetwork(network: NetworkInfo, members: readonly NetworkMember[]): NetworkInspect {
  return {
    Name: network.name,
    Id: network.id,
    Created: formatTime(network.createdNano),
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: network.enableIpv4,
    EnableIPv6: network.enableIpv6,
    IPAM: {
      Driver: network.ipamDriver,
      Options: network.ipamOptions ?? null,
      Config: network.ipam.length === 0 ? null : network.ipam.map(encodeSubnet),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom },
    ConfigOnly: network.configOnly,
    Containers: Object.fromEntries(members.map((member) => [member.containerId, encodeMember(member)])),
    Options: network.options,
    Labels: network.labels,
  };
}

function encodeSubnet({ subnet, ipRange, gateway, gatewayShown, auxAddresses }: NetworkInfo['ipam'][number]) {
  return {
    Subnet: subnet,
    ...(ipRange === '' ? {} : { IPRange: ipRange }),
    ...(gatewayShown && gateway !== '' ? { Gateway: gateway } : {}),
    ...(Object.keys(auxAddresses).length === 0 ? {} : { AuxiliaryAddresses: auxAddresses }),
  };
}

function encodeMember({ name, endpoint }: NetworkMember): NetworkInspect['Containers'][string] {
  const { endpointId, macAddress, ipv4, ipv6 } = endpoint;
  return {
    Name: name,
    EndpointID: endpointId,
    MacAddress: macAddress,
    IPv4Address: ipv4 === undefined ? '' : `${ipv4.address}/${ipv4.prefixLength}`,
    IPv6Address: ipv6 === undefined ? '' : `${ipv6.address}/${ipv6.prefixLength}`,
  };
}
