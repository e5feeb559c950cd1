import { runChecked } from '../sys/spawn.ts';
import {
  acceptCommands,
  findForeignDrops,
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

export interface Firewall {
  /** Load our rules; idempotent, one transaction. */
  apply(request: FirewallRequest): Promise<void>;
  /**
   * Where other software drops what is forwarded, let our bridge through in the place that it documents for this.
   *
   * @returns one warning for each that we can't help.
   */
  openForeign(request: FirewallRequest): Promise<string[]>;
  remove(request: FirewallRequest): Promise<void>;
}

/** Through nft(8). */
export class NftFirewall implements Firewall {
  async apply(request: FirewallRequest): Promise<void> {
    await load(ruleset(request));
  }

  async openForeign({ table, bridgeName }: FirewallRequest): Promise<string[]> {
    const { hook, warnings } = await findForeign(bridgeName);
    if (hook === undefined) return warnings;
    const rules = await rulesOf(hook);
    const wanted = acceptCommands(hook, rules, { bridgeName, mark: table });
    if (rules.filter(({ comment }) => comment === table).length !== wanted.length) {
      await load([...removalCommands(hook, rules, table), ...wanted].join('\n'));
    }
    return warnings;
  }

  async remove({ table, bridgeName }: FirewallRequest): Promise<void> {
    const { hook } = await findForeign(bridgeName);
    const foreign = hook === undefined ? [] : removalCommands(hook, await rulesOf(hook), table);
    await load([...foreign, `table ip ${table}`, `delete table ip ${table}`].join('\n'));
  }
}

async function findForeign(bridgeName: string): Promise<{ hook: UserHook | undefined; warnings: string[] }> {
  const { stdout } = await runChecked(['nft', '-j', 'list', 'chains']);
  return findForeignDrops(parseChains(stdout), bridgeName);
}

async function rulesOf({ family, table, chain }: UserHook): Promise<NftRule[]> {
  return parseRules((await runChecked(['nft', '-j', '-a', 'list', 'chain', family, table, chain])).stdout);
}

async function load(commands: string): Promise<void> {
  await runChecked(['nft', '-f', '-'], { stdin: `${commands}\n` });
}
