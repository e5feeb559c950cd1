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
  /** Those that it matches by name. */
  interfaces: string[];
}

/** Where a firewall lets other people's rules in. */
export interface UserHook {
  family: 'ip' | 'ip6';
  table: string;
  chain: string;
}

/** All reached from `filter FORWARD` of their family before its policy; Docker documents its own, ufw fills the others by `ufw route`. */
const HOOKS: readonly UserHook[] = [
  { family: 'ip', table: 'filter', chain: 'DOCKER-USER' },
  { family: 'ip', table: 'filter', chain: 'ufw-user-forward' },
  { family: 'ip6', table: 'filter', chain: 'DOCKER-USER' },
  { family: 'ip6', table: 'filter', chain: 'ufw6-user-forward' },
];

/** What is forwarded for our bridges: by these families, by these names. */
export interface ForwardedTraffic {
  bridgeNames: readonly string[];
  ipv6: boolean;
}

/**
 * An accept in our table doesn't outweigh a drop in another: find who drops what is forwarded.
 *
 * @returns the hooks to use, one a family, and a warning for each drop that no hook of ours reaches.
 */
export function findForeignDrops(
  chains: readonly NftChain[],
  { bridgeNames, ipv6 }: ForwardedTraffic,
): { hooks: UserHook[]; warnings: string[] } {
  const families = ['ip', 'inet', ...(ipv6 ? ['ip6'] : [])];
  const drops = chains.filter(
    ({ family, hook, policy }) => families.includes(family) && hook === 'forward' && policy === 'drop',
  );
  const present = findHooks(chains);
  const hookOf = (drop: NftChain): UserHook | undefined =>
    drop.table === 'filter' && drop.name === 'FORWARD'
      ? present.find(({ family }) => family === drop.family)
      : undefined;
  const hooks = new Set(drops.map(hookOf).filter((hook) => hook !== undefined));
  const names = bridgeNames.join(', ');
  const warnings = drops
    .filter((drop) => hookOf(drop) === undefined)
    .map(
      ({ family, table, name }) =>
        `WARNING: nftables chain "${family} ${table} ${name}" drops forwarded packets: let interface ${names} through there, or containers have no network`,
    );
  if (chains.some(({ family, table }) => family === 'inet' && table === 'firewalld')) {
    const zone = bridgeNames.map((name) => `--add-interface=${name}`).join(' ');
    warnings.push(
      `WARNING: firewalld is active: run firewall-cmd --zone=trusted ${zone}, or containers have no network`,
    );
  }
  return { hooks: [...hooks], warnings };
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
    interfaces: interfacesOf(rule['expr']),
  }));
}

function isReturn(expressions: unknown): boolean {
  if (!Array.isArray(expressions)) return false;
  const kinds = (expressions as unknown[]).flatMap((one) => (isRecord(one) ? Object.keys(one) : []));
  return kinds.includes('return') && kinds.every((kind) => kind === 'return' || kind === 'counter');
}

/** `{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "br0"}}` */
function interfacesOf(expressions: unknown): string[] {
  if (!Array.isArray(expressions)) return [];
  return (expressions as unknown[]).flatMap((one) => {
    const match = isRecord(one) ? one['match'] : undefined;
    const right = isRecord(match) ? match['right'] : undefined;
    return typeof right === 'string' ? [right] : [];
  });
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
