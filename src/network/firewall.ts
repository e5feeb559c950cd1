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

export interface FirewallRequest {
  /** Name of our table, one per daemon. */
  table: string;
  bridgeName: string;
  /** `172.17.0.0/16` */
  subnet: string;
}

/**
 * Our table, whole: what leaves the bridge takes the host's address; containers may speak to each other and to the outside; from outside
 * only answers come in. Loading it replaces an older one of the same name in the same transaction.
 */
export function ruleset({ table, bridgeName, subnet }: FirewallRequest): string {
  const bridge = JSON.stringify(bridgeName);
  return `table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != ${bridge} masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname ${bridge} accept
    oifname ${bridge} ct state established,related accept
    oifname ${bridge} drop
  }
}
`;
}

/** How many chains `ruleset` makes. */
const OWN_CHAINS = 2;

export interface Firewall {
  /** Load our rules; idempotent, one transaction. */
  apply(request: FirewallRequest): Promise<void>;
  /**
   * Put right what others have changed since: our table, when somebody flushed the whole ruleset; and, where other software drops what
   * is forwarded, our accepts in the place that it documents for this.
   *
   * @returns one warning for each drop that we can't help.
   */
  repair(request: FirewallRequest): Promise<string[]>;
  /** Ours everywhere. Absent is fine. */
  remove(request: FirewallRequest): Promise<void>;
}

/** Through nft(8). */
export class NftFirewall implements Firewall {
  async apply(request: FirewallRequest): Promise<void> {
    await load(ruleset(request));
  }

  async repair(request: FirewallRequest): Promise<string[]> {
    const chains = await listChains();
    if (
      chains.filter(({ family, table }) => family === 'ip' && table === request.table).length < OWN_CHAINS
    ) {
      await this.apply(request);
    }
    const { hook, warnings } = findForeignDrops(chains, request.bridgeName);
    if (hook !== undefined) await openHook(hook, request);
    return warnings;
  }

  async remove({ table }: FirewallRequest): Promise<void> {
    const chains = await listChains();
    const commands = [`table ip ${table}`, `delete table ip ${table}`];
    // A firewall may have stopped dropping since, with our accepts still in it.
    for (const hook of findHooks(chains)) commands.push(...removalCommands(hook, await rulesOf(hook), table));
    await load(commands.join('\n'));
  }
}

async function openHook(hook: UserHook, { bridgeName, table }: FirewallRequest): Promise<void> {
  const rules = await rulesOf(hook);
  const wanted = acceptCommands(hook, rules, { bridgeName, mark: table });
  if (rules.filter(({ comment }) => comment === table).length === wanted.length) return;
  await load([...removalCommands(hook, rules, table), ...wanted].join('\n'));
}

async function listChains(): Promise<NftChain[]> {
  return parseChains((await runChecked(['nft', '-j', 'list', 'chains'])).stdout);
}

async function rulesOf({ family, table, chain }: UserHook): Promise<NftRule[]> {
  return parseRules((await runChecked(['nft', '-j', '-a', 'list', 'chain', family, table, chain])).stdout);
}

async function load(commands: string): Promise<void> {
  await runChecked(['nft', '-f', '-'], { stdin: `${commands}\n` });
}
