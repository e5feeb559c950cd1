import { runChecked } from '../sys/spawn.ts';
import {
  acceptCommands,
  findForeignDrops,
  findHooks,
  type NftChain,
  type NftRule,
  parseChains,
  parseRules,
  removalCommands,
  type UserHook,
} from './foreign-firewall.ts';
import { chainCount, type FirewallState, ruleset } from './ruleset.ts';

export interface Firewall {
  /** Load our rules, whole; one transaction. */
  apply(state: FirewallState): Promise<void>;
  /** Elements of our table, by commands of nft; one transaction. */
  change(commands: string): Promise<void>;
  /**
   * Put right what others have changed since: our table, when somebody flushed the whole ruleset; and, where other software drops what
   * is forwarded, our accepts in the place that it documents for this.
   *
   * @returns one warning for each drop that we can't help, and whether our table had gone.
   */
  repair(state: FirewallState): Promise<{ warnings: string[]; restored: boolean }>;
  /** Ours everywhere. Absent is fine. */
  remove(state: FirewallState): Promise<void>;
}

/** Through libnftables (what changes) and nft(8) (what is read). */
export class NftFirewall implements Firewall {
  readonly #load: (commands: string) => Promise<void>;

  constructor(load: (commands: string) => Promise<void>) {
    this.#load = load;
  }

  async apply(state: FirewallState): Promise<void> {
    await this.#load(ruleset(state));
  }

  async change(commands: string): Promise<void> {
    await this.#load(commands);
  }

  async repair(state: FirewallState): Promise<{ warnings: string[]; restored: boolean }> {
    const chains = await listChains();
    const own = chains.filter(({ family, table }) => family === 'inet' && table === state.table);
    const restored = own.length < chainCount(state);
    if (restored) await this.apply(state);
    const foreign = chains.filter(({ table }) => table !== state.table);
    const bridges = state.bridges.map(({ bridgeName }) => bridgeName);
    const ipv6 = state.bridges.some(({ subnets }) => subnets.some((subnet) => subnet.includes(':')));
    const { hooks, warnings } = findForeignDrops(foreign, { bridgeNames: bridges, ipv6 });
    for (const hook of hooks) await this.#openHook(hook, bridges, state.table);
    return { warnings, restored };
  }

  async remove({ table }: FirewallState): Promise<void> {
    const chains = await listChains();
    const commands = [`table inet ${table}`, `delete table inet ${table}`];
    // A firewall may have stopped dropping since, with our accepts still in it.
    for (const hook of findHooks(chains)) commands.push(...removalCommands(hook, await rulesOf(hook), table));
    await this.#load(`${commands.join('\n')}\n`);
  }

  async #openHook(hook: UserHook, bridges: readonly string[], mark: string): Promise<void> {
    const rules = await rulesOf(hook);
    const wanted = bridges.flatMap((bridgeName) => acceptCommands(hook, rules, { bridgeName, mark }));
    const present = rules.filter(({ comment }) => comment === mark).flatMap(({ interfaces }) => interfaces);
    const isWhole = present.length === wanted.length && bridges.every((bridge) => present.includes(bridge));
    if (isWhole) return;
    await this.#load(`${[...removalCommands(hook, rules, mark), ...wanted].join('\n')}\n`);
  }
}

async function listChains(): Promise<NftChain[]> {
  return parseChains((await runChecked(['nft', '-j', 'list', 'chains'])).stdout);
}

async function rulesOf({ family, table, chain }: UserHook): Promise<NftRule[]> {
  return parseRules((await runChecked(['nft', '-j', '-a', 'list', 'chain', family, table, chain])).stdout);
}
