import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { ForeignRules } from './exposure/foreign-rules.ts';
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
  /** Of the rules as we know them: with our own transactions since it is that of the kernel, unless somebody else had one. */
  #generation: number | undefined;
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

  /** What other software filters by. */
  foreignRules(): Promise<ForeignRules> {
    return this.#options.firewall.foreignRules(this.#options.state());
  }

  /** Load what is wanted now. Callers that come meanwhile share the next load. */
  apply(): Promise<void> {
    this.#next ??= this.#queue(async () => {
      this.#next = undefined;
      await this.#own(() => this.#options.firewall.apply(this.#options.state()));
    });
    return this.#next;
  }

  /** A part of what is wanted by now. Where the table isn't as it was left, it is loaded whole. */
  change(commands: string): Promise<void> {
    const { firewall, state, logger } = this.#options;
    return this.#queue(async () => {
      try {
        await this.#own(() => firewall.change(commands));
      } catch (error) {
        logger.warn('The nftables rules of this engine are not as they were left: loading them anew', {
          error: messageOf(error),
        });
        await this.#own(() => firewall.apply(state()));
      }
    });
  }

  /** Others reload their firewalls as they like (`flush ruleset` is how many files begin): look now and then, while it matters. */
  watch(): void {
    this.#watch ??= setInterval(() => {
      if (this.#options.isNeeded()) void this.#lookAfter();
    }, this.#options.checkMs);
    this.#watch.unref();
  }

  async #lookAfter(): Promise<void> {
    let isOurs = false;
    await this.#queue(async () => {
      isOurs = (await this.#options.firewall.generation()) === this.#generation;
    }).catch(() => undefined);
    if (!isOurs) await this.repair();
  }

  async repair(): Promise<void> {
    const { firewall, state, logger } = this.#options;
    let warnings: string[] = [];
    // Somebody else's table in an odd state must not keep the engine from starting.
    try {
      await this.#queue(async () => {
        // Before: what comes while it is at work is looked at the next time.
        this.#generation = undefined;
        const generation = await firewall.generation();
        const found = await firewall.repair(state());
        this.#generation = generation;
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

  /** One transaction. A failed one may have been half of two. */
  async #own(transaction: () => Promise<void>): Promise<void> {
    const before = this.#generation;
    this.#generation = undefined;
    await transaction();
    if (before !== undefined) this.#generation = before + 1;
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
