import type { PortHolding } from './published-ports.ts';
import { shares } from './published-ports.ts';
import type { RelayBudget } from './relay-budget.ts';
import { openReservation, type Reservation } from './reservation.ts';

/** One port with its socket, and the containers that it leads to: one, or those that share it. */
export class HeldPort {
  #members: PortHolding[];
  #reservation: Reservation | undefined;
  #turn = 0;

  private constructor(first: PortHolding) {
    this.#members = [first];
  }

  /** @throws with errno's name as `code`. */
  static async open(first: PortHolding, budget: RelayBudget): Promise<HeldPort> {
    const port = new HeldPort(first);
    port.#reservation = await openReservation(first, () => port.#choose(), budget);
    return port;
  }

  get members(): readonly PortHolding[] {
    return this.#members;
  }

  isSharedBy(holding: PortHolding): boolean {
    return this.#members.every((member) => shares(member, holding));
  }

  /** @returns whether it is a new one. */
  put(holding: PortHolding): boolean {
    const at = this.#members.findIndex(({ containerId }) => containerId === holding.containerId);
    const before = this.#members[at];
    if (before === undefined) {
      this.#members.push(holding);
      return true;
    }
    this.#members[at] = holding;
    if (before.target !== holding.target || before.containerPort !== holding.containerPort)
      this.#reservation?.forget(before);
    return false;
  }

  /** @returns whether none is left. */
  remove({ containerId }: PortHolding): boolean {
    const gone = this.#members.filter((member) => member.containerId === containerId);
    this.#members = this.#members.filter((member) => member.containerId !== containerId);
    if (this.#members.length > 0) for (const member of gone) this.#reservation?.forget(member);
    return this.#members.length === 0;
  }

  async close(): Promise<void> {
    await this.#reservation?.close();
  }

  /** Each in turn; who rests is passed over. */
  #choose(): PortHolding | undefined {
    const awake = this.#members.filter(({ shared, resting }) => shared !== true || resting !== true);
    return awake[this.#turn++ % Math.max(1, awake.length)];
  }
}
