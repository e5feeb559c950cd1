import type { PortProtocol } from '../ruleset.ts';

/** A port of a container, and where on the host it is wanted. */
export interface PortRequest {
  protocol: PortProtocol;
  containerPort: number;
  /** Addresses of the host; '' is all of both families. They share one port of the host. */
  hostAddresses: string[];
  /** Any port of these; undefined: of the kernel's ephemeral range. */
  hostPorts: { from: number; to: number } | undefined;
}

export interface PublishRequest {
  containerId: string;
  /** As refusals to others name it. */
  containerName: string;
  /** Addresses of the container, by which it is reached from the host. */
  ipv4: string | undefined;
  ipv6: string | undefined;
  ports: readonly PortRequest[];
  /** Families of the container's addresses that nothing is translated for: its own ports are opened, and none of the host's is taken. */
  routed: readonly (4 | 6)[];
  /** Others that say so, too, may have the same ports: new connections go to each in turn. */
  shared: boolean;
}

/** A port of the host that leads to a container; a routed one is the container's alone, and has no port of the host (0). Plain data. */
export interface PublishedPort {
  protocol: PortProtocol;
  hostAddress: string;
  hostPort: number;
  containerPort: number;
}

/** A published port with whose it is and where it leads. */
export interface PortHolding extends PublishedPort {
  containerId: string;
  containerName: string;
  /** The container's address, of either family. */
  target: string;
  /** Reached at `target` itself. */
  routed?: true;
  /** Others may hold the same port, too. */
  shared?: true;
  /** Of a shared port: new connections go to others. */
  resting?: true;
}

/**
 * Ports of the host that lead to containers, on whatever network these are. The kernel forwards them; a helper process, which outlives the
 * daemon, reserves each by a socket and carries what the kernel can't: `[::1]`, IPv6 to a container without it, a container's own way to itself.
 */
export interface PublishedPorts {
  /**
   * All of them or none. What the container has of them already stays as it is; the rest of an earlier call is withdrawn. A shared port
   * that is new leads to it only once `rest` says so.
   *
   * @throws EngineError "internal" in Docker's words when a port is taken or an address isn't the host's.
   */
  publish(request: PublishRequest): Promise<PublishedPort[]>;
  /** Free at once for the next `publish`. Unknown is fine. */
  withdraw(containerId: string): Promise<void>;
  /** Of a container's shared ports: whether new connections go to others. What is established goes on. */
  rest(containerId: string, resting: boolean): Promise<void>;
  /** At a restart of the daemon: these stay (and are put back where they have gone), others are withdrawn. */
  recover(keep: readonly PortHolding[]): Promise<void>;
  of(containerId: string): PortHolding[];
}

/** No two holdings have the same. */
export function keyOf({
  protocol,
  hostAddress,
  hostPort,
  routed,
  target,
  containerPort,
}: PortHolding): string {
  return routed === true
    ? `${protocol}/${target}/${containerPort}/routed`
    : `${protocol}/${hostAddress}/${hostPort}`;
}

/** The port of the host is the same for both, and both say that they share it. */
export function shares(one: PortHolding, other: PortHolding): boolean {
  return one.shared === true && other.shared === true && keyOf(one) === keyOf(other);
}

/** `127.0.0.1:80`, `[::1]:80` */
export function hostPortText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
