/** Base chains of other software, with all that they may lead to: what of `nft -j list table` decides about packets. */
export interface ForeignRules {
  /** By `family table chain`. */
  chains: ReadonlyMap<string, ForeignChain>;
  /** Tables that could not be read whole, `ip filter`. */
  unread: readonly string[];
}

export interface ForeignChain {
  /** `ip filter FORWARD` */
  place: string;
  family: string;
  /** Undefined: no base chain. */
  hook: string | undefined;
  priority: number;
  policy: string | undefined;
  /** In order; each a list of expressions as libnftables-json(5) has them. */
  rules: unknown[][];
}

/** @param tables the JSON of each table, by `family table`; undefined where it can't be had. */
export function parseForeignRules(tables: ReadonlyMap<string, string | undefined>): ForeignRules {
  const chains = new Map<string, ForeignChain>();
  const unread: string[] = [];
  for (const [table, json] of tables) {
    const entries = json === undefined ? undefined : entriesOf(json);
    if (entries === undefined) unread.push(table);
    for (const entry of entries ?? []) addEntry(chains, entry);
  }
  return { chains, unread };
}

function addEntry(chains: Map<string, ForeignChain>, entry: unknown): void {
  const { chain, rule } = recordOf(entry);
  if (chain !== undefined) {
    const { family, table, name, hook, prio, policy } = recordOf(chain);
    const place = `${String(family)} ${String(table)} ${String(name)}`;
    chains.set(place, {
      place,
      family: String(family),
      hook: typeof hook === 'string' ? hook : undefined,
      priority: Number(prio ?? 0),
      policy: typeof policy === 'string' ? policy : undefined,
      rules: [],
    });
  }
  if (rule !== undefined) {
    const { family, table, chain: name, expr } = recordOf(rule);
    const place = `${String(family)} ${String(table)} ${String(name)}`;
    chains.get(place)?.rules.push(Array.isArray(expr) ? (expr as unknown[]) : []);
  }
}

function entriesOf(json: string): unknown[] | undefined {
  try {
    const { nftables } = recordOf(JSON.parse(json));
    return Array.isArray(nftables) ? (nftables as unknown[]) : undefined;
  } catch {
    return undefined;
  }
}

export function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
