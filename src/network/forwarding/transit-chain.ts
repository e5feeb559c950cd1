import type { Family } from './host-forwarding.ts';

/**
 * A machine that was no router, made one by us: between interfaces that are none of ours nothing is to pass. Of families without an entry
 * the administrator says what passes.
 */
export interface TransitGuard {
  families: { family: Family; before: string[] }[];
  /** Bridges that lead to other machines. */
  uplinks: string[];
}

export const OPEN_TRANSIT: TransitGuard = { families: [], uplinks: [] };

/**
 * What another bridge's guests may is the matter of who made it (another engine, a hypervisor), and what went on within one bridge never
 * passed a router. What an interface received was forwarded before where its own switch was on.
 */
export function transitChain({ families, uplinks: uplinkNames }: TransitGuard): string {
  if (families.length === 0) return '';
  const uplinks = uplinkNames.filter(isQuotable);
  const isGuests = (name: string): string =>
    uplinks.length === 0 ? '' : `${name} != { ${quoted(uplinks)} } `;
  const rules = [
    'iifname @bridges accept',
    'oifname @bridges accept',
    `meta iifkind "bridge" ${isGuests('iifname')}accept`,
    `meta oifkind "bridge" ${isGuests('oifname')}accept`,
    ...uplinks.map((name) => `iifname ${quoted([name])} oifname ${quoted([name])} accept`),
    ...families.flatMap(({ family, before }) => guarded(family, before)),
  ];
  return `  chain transit {
    type filter hook forward priority filter; policy accept;
${rules.map((rule) => `    ${rule}\n`).join('')}  }
`;
}

function guarded(family: Family, names: readonly string[]): string[] {
  const before = names.filter(isQuotable);
  const drop = `meta nfproto ipv${family} drop`;
  if (before.length === 0) return [drop];
  return [`meta nfproto ipv${family} iifname { ${quoted(before)} } accept`, drop];
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

/** nft has no escapes, and the kernel lets a name have a quote. A star at the end would be more names. */
function isQuotable(name: string): boolean {
  return !/["*\\]/.test(name);
}
