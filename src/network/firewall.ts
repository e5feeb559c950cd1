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
import type { HostNetwork } from './host-network.ts';
import { type FirewallState, ruleset } from './ruleset.ts';
import { listedCounts, type TableCounts, textCounts } from './table-counts.ts';

export interface Firewall {
  /** Load our rules, whole; one transaction. */
  apply(state: FirewallState): Promise<void>;
  /** Elements of our table, by commands of nft; one transaction. */
  change(commands: string): Promise<void>;
  /** Of everybody's rules: another after each transaction, ours too. */
  generation(): Promise<number>;
  /**
   * Put right what others have changed since: our table, when somebody flushed the ruleset or a part of ours; and, where other software drops what
   * is forwarded, our accepts in the place that it documents for this.
   *
   * @returns one warning for each drop that we can't help, and whether something of our table had gone.
   */
  repair(state: FirewallState): Promise<{ warnings: string[]; restored: boolean }>;
  /** Ours everywhere. Absent is fine. */
  remove(state: FirewallState): Promise<void>;
}

/** Through libnftables (what changes) and nft(8) (what is read). */
export class NftFirewall implements Firewall {
  readonly #host: Pick<HostNetwork, 'nft' | 'rulesGeneration'>;

  constructor(host: Pick<HostNetwork, 'nft' | 'rulesGeneration'>) {
    this.#host = host;
  }

  async apply(state: FirewallState): Promise<void> {
    await this.#host.nft(ruleset(state));
  }

  async change(commands: string): Promise<void> {
    await this.#host.nft(commands);
  }

  async generation(): Promise<number> {
    return await this.#host.rulesGeneration();
  }

  async repair(state: FirewallState): Promise<{ warnings: string[]; restored: boolean }> {
    const chains = await listChains();
    const isThere = chains.some(({ family, table }) => family === 'inet' && table === state.table);
    const restored = !isThere || !hasAllOf(await listTable(state.table), state);
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
    await this.#host.nft(`${commands.join('\n')}\n`);
  }

  async #openHook(hook: UserHook, bridges: readonly string[], mark: string): Promise<void> {
    const rules = await rulesOf(hook);
    const wanted = bridges.flatMap((bridgeName) => acceptCommands(hook, rules, { bridgeName, mark }));
    const present = rules.filter(({ comment }) => comment === mark).flatMap(({ interfaces }) => interfaces);
    const isWhole = present.length === wanted.length && bridges.every((bridge) => present.includes(bridge));
    if (isWhole) return;
    await this.#host.nft(`${[...removalCommands(hook, rules, mark), ...wanted].join('\n')}\n`);
  }
}

/** As JSON; '' when it has gone meanwhile. */
async function listTable(table: string): Promise<string> {
  const listed = await runChecked(['nft', '-j', 'list', 'table', 'inet', table]).catch(() => undefined);
  return listed?.stdout ?? '';
}

function hasAllOf(listed: string, state: FirewallState): boolean {
  const [present, wanted] = [listedCounts(listed), textCounts(ruleset(state))];
  return (Object.keys(wanted) as (keyof TableCounts)[]).every((kind) => present[kind] >= wanted[kind]);
}

async function listChains(): Promise<NftChain[]> {
  return parseChains((await runChecked(['nft', '-j', 'list', 'chains'])).stdout);
}

async function rulesOf({ family, table, chain }: UserHook): Promise<NftRule[]> {
  return parseRules((await runChecked(['nft', '-j', '-a', 'list', 'chain', family, table, chain])).stdout);
}
