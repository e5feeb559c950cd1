import type { PortHolding } from './published-ports.ts';

/** Sockets that reserve ports, in a process that outlives the daemon. */
export interface PortHolder {
  /**
   * All of them or none. A shared port has one socket for all that share it; what is held already is as it is told now.
   *
   * @throws PortTaken for the first that can't be had.
   */
  hold(holdings: readonly PortHolding[]): Promise<void>;
  /** Unknown is fine. The socket of a shared port goes with the last. */
  drop(holdings: readonly PortHolding[]): Promise<void>;
  /** What is held by a process that an earlier daemon has started. */
  find(): Promise<PortHolding[]>;
  /** Called when what ran is lost, with all its sockets. */
  onLost(listener: () => void): void;
  /** It runs on for what it holds. */
  close(): Promise<void>;
}

/** A socket that can't be had, with what the kernel says. */
export class PortTaken extends Error {
  readonly holding: PortHolding;
  readonly reason: string;
  /** Another may be free. */
  readonly isInUse: boolean;

  constructor(holding: PortHolding, { code, reason }: { code: string; reason: string }) {
    super(`Cannot listen on ${holding.hostAddress}:${holding.hostPort}: ${reason}`);
    this.holding = holding;
    this.reason = reason;
    this.isInUse = code === 'EADDRINUSE';
  }
}
