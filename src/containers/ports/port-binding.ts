/** Where on the host a port of a container is wanted, as typed. */
export interface PortBindingOption {
  /** '': all addresses. */
  hostIp: string;
  /** `8080`, `8080-8090` (one of them), '' or `0` (any). */
  hostPort: string;
}

/** By `80/tcp`; null as given. */
export type PortBindings = Record<string, PortBindingOption[] | null>;
