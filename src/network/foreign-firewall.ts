/** A chain of somebody's nftables, as `nft -j list chains` tells it. */
export interface NftChain {
  family: string;
  table: string;
  name: string;
  hook: string | undefined;
  policy: string | undefined;
}

export interface NftRule {
  handle: number;
  comment: string | undefined;
  /** Matches everything and returns: nothing behind it is reached. Older Dockers end their hook so. */
  isReturn: boolean;
}

/** Where a firewall lets other people's rules in. */
export interface UserHook {
  family: 'ip';
  table: string;
  chain: string;
}

/** Both reached from `ip filter FORWARD` before its policy; Docker documents the first, ufw fills the second by `ufw route`. */
const HOOKS: readonly UserHook[] = [
  { family: 'ip', table: 'filter', chain: 'DOCKER-USER' },
  { family: 'ip', table: 'filter', chain: 'ufw-user-forward' },
];

/**
 * An accept in our table doesn't outweigh a drop in another: find who drops what is forwarded.
 *
 * @returns the hook to use, and a warning for each drop that no hook of ours reaches.
 */
export function findForeignDrops(
  chains: readonly NftChain[],
  bridgeName: string,
): { hook: UserHook | undefined; warnings: string[] } {
  const drops = chains.filter(
    ({ family, hook, policy }) =>
      (family === 'ip' || family === 'inet') && hook === 'forward' && policy === 'drop',
  );
  const isHooked = ({ family, table, name }: NftChain): boolean =>
    family === 'ip' && table === 'filter' && name === 'FORWARD';
  const [present] = findHooks(chains);
  const hook = drops.some(isHooked) ? present : undefined;
  const helpless = drops.filter((drop) => hook === undefined || !isHooked(drop));
  const warnings = helpless.map(
    ({ family, table, name }) =>
      `WARNING: nftables chain "${family} ${table} ${name}" drops forwarded packets: let interface ${bridgeName} through there, or containers have no network`,
  );
  if (chains.some(({ family, table }) => family === 'inet' && table === 'firewalld')) {
    warnings.push(
      `WARNING: firewalld is active: run firewall-cmd --zone=trusted --add-interface=${bridgeName}, or containers have no network`,
    );
  }
  return { hook, warnings };
}

/** The hooks that there are, in the order of preference. */
export function findHooks(chains: readonly NftChain[]): UserHook[] {
  return HOOKS.filter(({ family, table, chain }) =>
    chains.some((one) => one.family === family && one.table === table && one.name === chain),
  );
}

/** Commands that put our accepts behind the administrator's own rules. Plain matches, so that iptables-nft can read them. */
export function acceptCommands(
  { family, table, chain }: UserHook,
  rules: readonly NftRule[],
  accept: { bridgeName: string; mark: string },
): string[] {
  const end = rules.find(({ isReturn }) => isReturn);
  const place = `${family} ${table} ${chain}`;
  const verb = end === undefined ? `add rule ${place}` : `insert rule ${place} position ${end.handle}`;
  const [bridge, comment] = [JSON.stringify(accept.bridgeName), JSON.stringify(accept.mark)];
  return ['iifname', 'oifname'].map(
    (direction) => `${verb} ${direction} ${bridge} counter accept comment ${comment}`,
  );
}

export function removalCommands(
  { family, table, chain }: UserHook,
  rules: readonly NftRule[],
  mark: string,
): string[] {
  return rules
    .filter(({ comment }) => comment === mark)
    .map(({ handle }) => `delete rule ${family} ${table} ${chain} handle ${handle}`);
}

export function parseChains(json: string): NftChain[] {
  return objectsOf(json, 'chain').map((chain) => ({
    family: String(chain['family']),
    table: String(chain['table']),
    name: String(chain['name']),
    hook: textOf(chain['hook']),
    policy: textOf(chain['policy']),
  }));
}

export function parseRules(json: string): NftRule[] {
  return objectsOf(json, 'rule').map((rule) => ({
    handle: Number(rule['handle']),
    comment: textOf(rule['comment']),
    isReturn: isReturn(rule['expr']),
  }));
}

function isReturn(expressions: unknown): boolean {
  if (!Array.isArray(expressions)) return false;
  const kinds = (expressions as unknown[]).flatMap((one) => (isRecord(one) ? Object.keys(one) : []));
  return kinds.includes('return') && kinds.every((kind) => kind === 'return' || kind === 'counter');
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** `{"nftables": [{"<kind>": {…}}, …]}` (libnftables-json(5)). */
function objectsOf(json: string, kind: string): Record<string, unknown>[] {
  const document: unknown = JSON.parse(json);
  if (!isRecord(document) || !Array.isArray(document['nftables'])) return [];
  return (document['nftables'] as unknown[])
    .map((entry) => (isRecord(entry) ? entry[kind] : undefined))
    .filter(isRecord);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
