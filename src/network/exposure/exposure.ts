import type { PortProtocol } from '../ruleset.ts';

/** A port of a running container, and whether it is reached from somewhere. Plain data. */
export interface Exposure {
  containerId: string;
  containerName: string;
  network: string;
  protocol: PortProtocol;
  containerPort: number;
  /** Where it is reached, if it is: a port of the host, or the container's own. */
  address: string;
  port: number;
  published: boolean;
  /** `this machine`, `hosts on eth0`, `other hosts`, `network bridge`, `other networks`. */
  from: string;
  reachable: 'yes' | 'no' | 'maybe';
  /** Why, in words for people. */
  reason: string;
}

/** What a container listens on, as far as it says so. */
export interface ExposedPorts {
  containerId: string;
  containerName: string;
  ports: { protocol: PortProtocol; containerPort: number }[];
}

/** An interface of the host, with its addresses but those of the link. */
export interface HostInterface {
  name: string;
  addresses: string[];
}
