import type { PortProtocol } from '../ruleset.ts';

/** A port of the host that nobody else is to have. */
export interface PortReservation {
  /** Tells reservations apart; a second one of the same key is the first. */
  key: string;
  protocol: PortProtocol;
  address: string;
  /** 0: any that is free. */
  port: number;
}

/** Holds ports of the host by sockets, also while the daemon is down. What is published is led away by the firewall before it reaches them. */
export interface PortKeeper {
  /** @returns the port. @throws EngineError when it is in use. */
  reserve(reservation: PortReservation): Promise<number>;
  /** Unknown is fine. */
  release(key: string): Promise<void>;
  /** These, whole: others are released, those that are missing reserved as far as can be. */
  adopt(reservations: readonly PortReservation[]): Promise<void>;
}
