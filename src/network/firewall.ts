import { runChecked } from '../sys/spawn.ts';
import { type ForeignRules, parseForeignRules } from './exposure/foreign-rules.ts';
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

/** More would hold up the thread: some thousands of rules. */
const MAX_TABLE_CHARACTERS = 1 << 20;

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
  /** What other software filters by. */
  foreignRules(state: FirewallState): Promise<ForeignRules>;
  /** Ours everywhere, but for what guards others while the machine forwards. Absent is fine. */
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

  async foreignRules({ table: own }: FirewallState): Promise<ForeignRules> {
    const filters = (await listChains()).filter(
      ({ family, table, hook }) =>
        table !== own &&
        ['ip', 'ip6', 'inet'].includes(family) &&
        ['forward', 'input', 'output'].includes(hook ?? ''),
    );
    const names = [...new Set(filters.map(({ family, table }) => `${family} ${table}`))];
    const tables = new Map<string, string | undefined>();
    for (const name of names) tables.set(name, await listForeignTable(name));
    return parseForeignRules(tables);
  }

  async remove(state: FirewallState): Promise<void> {
    const { table, transit } = state;
    const chains = await listChains();
    const commands = [`table inet ${table}`, `delete table inet ${table}`];
    // A firewall may have stopped dropping since, with our accepts still in it.
    for (const hook of findHooks(chains)) commands.push(...removalCommands(hook, await rulesOf(hook), table));
    if (transit.families.length > 0) commands.push(ruleset({ ...state, bridges: [], ports: [], shared: [] }));
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

/** Without the elements of sets. Undefined when it is too much to read, or has gone. */
async function listForeignTable(name: string): Promise<string | undefined> {
  const listed = await runChecked(['nft', '-j', '-t', 'list', 'table', ...name.split(' ')]).catch(
    () => undefined,
  );
  return listed === undefined || listed.stdout.length > MAX_TABLE_CHARACTERS ? undefined : listed.stdout;
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
