/** A container's endpoint on one network, running or not. */
export interface NetworkEndpointView {
  networkName: string;
  networkId: string;
  endpointId: string;
  macAddress: string;
  ipv4Address: string;
  ipv4PrefixLength: number;
  gateway: string;
  ipv6Address: string;
  ipv6PrefixLength: number;
  ipv6Gateway: string;
}
