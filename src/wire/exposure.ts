/** One of the answer of `GET /exposure`, which is Sampan's own: a port, and whether it is reached from somewhere. */
export interface PortExposure {
  ContainerID: string;
  Container: string;
  Network: string;
  Protocol: string;
  ContainerPort: number;
  /** At an address of the host; else at the container's own. */
  Published: boolean;
  Address: string;
  Port: number;
  /** `this machine`, `hosts on eth0`, `other hosts`, `network bridge`, `other networks`. */
  From: string;
  Reachable: 'yes' | 'no' | 'maybe';
  Reason: string;
}
