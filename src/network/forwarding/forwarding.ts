import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { writeFileAtomic } from '../../storage/atomic-file.ts';
import { bootId } from '../../sys/clock.ts';
import type { HostNetwork } from '../host-network.ts';
import type { Family, HostForwarding } from './host-forwarding.ts';
import { OPEN_TRANSIT, type TransitGuard } from './transit-chain.ts';

export interface ForwardingOptions {
  host: Pick<HostNetwork, 'forwarding' | 'setForwarding'>;
  /** Of this run of the machine: what was turned on is noted there. */
  directory: string;
  logger: Logger;
  /** Docker's `ip-forward`; false: as the machine has it. Default: turned on where it is off. */
  enable?: boolean | undefined;
  /** Docker's `ip-forward-no-drop`: what we turn on makes the machine a router for everybody. */
  openTransit?: boolean | undefined;
}

type Guarded = TransitGuard['families'][number];

/** Families of which we know that we have turned them on. */
interface Note {
  bootId: string;
  families: Guarded[];
}

/**
 * The machine's forwarding. What is off and needed is turned on, and then the machine is to be no router for others: that is noted first,
 * then guarded by rules, and only then turned on, so that a death in between leaves nothing open.
 */
export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #path: string;
  #families: Guarded[] = [];
  #uplinks: string[] = [];
  #pending: Family[] = [];

  constructor(options: ForwardingOptions) {
    this.#options = options;
    this.#path = join(options.directory, 'forwarding.json');
  }

  /** What the rules are to keep from passing. */
  get guard(): TransitGuard {
    return this.#options.openTransit === true
      ? OPEN_TRANSIT
      : { families: this.#families, uplinks: this.#uplinks };
  }

  /** Find out what is to be turned on for these families. The rules are loaded next, then `turnOn` is called. */
  async prepare(families: readonly Family[]): Promise<void> {
    this.#families = await this.#noted();
    const state = await this.#options.host.forwarding();
    this.#uplinks = state.uplinks;
    this.#pending =
      this.#options.enable === false ? [] : families.filter((family) => !ofFamily(state, family).on);
    if (this.#options.openTransit === true) return await this.#forget();
    const fresh = this.#pending.filter((one) => !this.#families.some(({ family }) => family === one));
    if (fresh.length === 0) return;
    const found = fresh.map((family) => ({ family, before: ofFamily(state, family).interfaces }));
    this.#families = [...this.#families, ...found];
    await this.#write();
  }

  async turnOn(): Promise<void> {
    for (const family of this.#pending.splice(0)) {
      await this.#options.host.setForwarding(family, { on: true, except: [] });
      this.#options.logger.warn(
        `IPv${family} forwarding was off on this machine; it is on now, ${
          this.#options.openTransit === true
            ? 'for all interfaces'
            : 'for networks of containers alone (ip-forward-no-drop: for all interfaces)'
        }`,
      );
    }
  }

  /** Nobody of ours needs it any more: what we have turned on goes off again. */
  async turnOff(): Promise<void> {
    this.#families = await this.#noted();
    for (const { family, before } of this.#families)
      await this.#options.host.setForwarding(family, { on: false, except: before });
    this.#families = [];
    await this.#forget();
  }

  async #noted(): Promise<Guarded[]> {
    try {
      const note = JSON.parse(await readFile(this.#path, 'utf8')) as Note;
      return note.bootId === bootId() ? note.families : [];
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  async #write(): Promise<void> {
    const note: Note = { bootId: bootId(), families: this.#families };
    await writeFileAtomic(this.#path, JSON.stringify(note), { durable: false });
  }

  async #forget(): Promise<void> {
    this.#families = [];
    await rm(this.#path, { force: true });
  }
}

function ofFamily(state: HostForwarding, family: Family): HostForwarding['ipv4'] {
  return family === 4 ? state.ipv4 : state.ipv6;
}
