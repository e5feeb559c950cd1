import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { Firewall } from './firewall.ts';
import type { FirewallState } from './ruleset.ts';

export interface FirewallKeeperOptions {
  firewall: Firewall;
  /** What the rules are to be now. */
  state: () => FirewallState;
  /** Whether anybody would notice. */
  isNeeded: () => boolean;
  checkMs: number;
  logger: Logger;
}

/** Keeps the rules as they are to be: one change after the other, and again what others took away. */
export class FirewallKeeper {
  readonly #options: FirewallKeeperOptions;
  #warnings: string[] = [];
  #watch: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();
  /** Waits its turn, and will load what is wanted by then. */
  #next: Promise<void> | undefined;

  constructor(options: FirewallKeeperOptions) {
    this.#options = options;
  }

  /** What `info` has to say about other people's firewalls. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Load what is wanted now. Callers that come meanwhile share the next load. */
  apply(): Promise<void> {
    this.#next ??= this.#queue(async () => {
      this.#next = undefined;
      await this.#options.firewall.apply(this.#options.state());
    });
    return this.#next;
  }

  /** A part of what is wanted by now. Where the table isn't as it was left, it is loaded whole. */
  change(commands: string): Promise<void> {
    const { firewall, state, logger } = this.#options;
    return this.#queue(async () => {
      try {
        await firewall.change(commands);
      } catch (error) {
        logger.warn('The nftables rules of this engine are not as they were left: loading them anew', {
          error: messageOf(error),
        });
        await firewall.apply(state());
      }
    });
  }

  /** Others reload their firewalls as they like (`flush ruleset` is how many files begin): look now and then, while it matters. */
  watch(): void {
    this.#watch ??= setInterval(() => {
      if (this.#options.isNeeded()) void this.repair();
    }, this.#options.checkMs);
    this.#watch.unref();
  }

  async repair(): Promise<void> {
    const { firewall, state, logger } = this.#options;
    let warnings: string[] = [];
    // Somebody else's table in an odd state must not keep the engine from starting.
    try {
      await this.#queue(async () => {
        const found = await firewall.repair(state());
        warnings = found.warnings;
        if (found.restored)
          logger.warn('The nftables rules of this engine had been removed: they are restored', {
            table: state().table,
          });
      });
    } catch (error) {
      warnings = [`WARNING: Cannot look after the firewall: ${messageOf(error)}`];
    }
    const known = new Set(this.#warnings);
    this.#warnings = warnings;
    for (const warning of warnings) if (!known.has(warning)) logger.warn(warning);
  }

  async close({ remove }: { remove: boolean }): Promise<void> {
    clearInterval(this.#watch);
    const { firewall, state } = this.#options;
    await this.#queue(() => (remove ? firewall.remove(state()) : Promise.resolve()));
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
