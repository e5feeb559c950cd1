import type { ContainerView } from '../../containers/container.ts';
import type { NetworkEndpointView } from '../../containers/endpoint-view.ts';
import type { NetworkInfo } from '../../network/network-driver.ts';
import type { EndpointSettings, NetworkInspect, NetworkSettings } from '../../wire/network.ts';
import { formatTime } from '../../wire/time.ts';
import { encodePorts } from './ports.ts';

export function encodeEndpoint(endpoint: NetworkEndpointView): EndpointSettings {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    MacAddress: endpoint.macAddress,
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.endpointId,
    Gateway: endpoint.gateway,
    IPAddress: endpoint.ipv4Address,
    IPPrefixLen: endpoint.ipv4PrefixLength,
    IPv6Gateway: endpoint.ipv6Gateway,
    GlobalIPv6Address: endpoint.ipv6Address,
    GlobalIPv6PrefixLen: endpoint.ipv6PrefixLength,
    DNSNames: null,
  };
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

/** One network; `containers` are those that are shown on it (none in a list). */
export function encodeNetwork(network: NetworkInfo, containers: readonly ContainerView[]): NetworkInspect {
  return {
    Name: network.name,
    Id: network.id,
    Created: formatTime(network.createdNano),
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: network.enableIpv6,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config:
        network.ipam.length === 0
          ? null
          : network.ipam.map(({ subnet, gateway }) => ({ Subnet: subnet, Gateway: gateway })),
    },
    Internal: network.internal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: encodeMembers(network, containers),
    Options: network.options,
    Labels: network.labels,
  };
}

function encodeMembers(
  network: NetworkInfo,
  containers: readonly ContainerView[],
): NetworkInspect['Containers'] {
  const members: NetworkInspect['Containers'] = {};
  for (const view of containers) {
    const endpoint = view.endpoints.find(({ networkId }) => networkId === network.id);
    if (endpoint === undefined || endpoint.endpointId === '') continue;
    members[view.id] = {
      Name: view.name,
      EndpointID: endpoint.endpointId,
      MacAddress: endpoint.macAddress,
      IPv4Address: withPrefix(endpoint.ipv4Address, endpoint.ipv4PrefixLength),
      IPv6Address: withPrefix(endpoint.ipv6Address, endpoint.ipv6PrefixLength),
    };
  }
  return members;
}

function withPrefix(address: string, prefixLength: number): string {
  return address === '' ? '' : `${address}/${prefixLength}`;
}
