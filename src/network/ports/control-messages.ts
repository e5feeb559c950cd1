import type { PortHolding } from './published-ports.ts';

/** Lines of JSON between the daemon and its helper. An older helper may meet a newer daemon: what changes gets a new name. */
export type ControlRequest = { id: number } & (
  | { do: 'hold'; holdings: PortHolding[] }
  | { do: 'drop'; keys: string[] }
  | { do: 'leave'; holdings: PortHolding[] }
  | { do: 'list' }
);

/** `shares`: knows ports that several containers share, and `leave`. `routes`: knows those that are routed. `code`: errno's name; `at`: of which holding. */
export interface ControlAnswer {
  id: number;
  held?: PortHolding[];
  shares?: true;
  routes?: true;
  error?: { code: string; at: number };
}
