import { EngineError } from '../../../../errors/engine-error.ts';
import type { ParsedFlags } from '../../../flags/flag-set.ts';
import { type NetworkAttachment, parseNetwork } from './networks.ts';

const NOT_USER_DEFINED = new Set(['', 'default', 'bridge', 'host', 'none']);

/** The networks of `--network` and the flags that speak of the first one, as NetworkingConfig's endpoints. */
export function parseNetworking(flags: ParsedFlags): { mode: string; endpoints: Record<string, object> } {
  const named = [...flags.list('network'), ...flags.list('net')];
  const networks = (named.length === 0 ? ['default'] : named).map((text) => {
    const network = parseNetwork(text);
    if (typeof network === 'string') throw new EngineError('invalid', network);
    return network;
  });
  const [first] = networks;
  if (first !== undefined) applyFlags(first, flags);
  const mode = first?.target ?? 'default';
  if (new Set(networks.map(({ target }) => isUserDefined(target))).size > 1)
    throw new EngineError(
      'invalid',
      'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
    );
  const endpoints: Record<string, object> = {};
  for (const network of networks) {
    const isWithoutInterface = /^(?:host|none|container:.*)$/.test(network.target);
    // What can't be had there is the daemon's to refuse.
    if (isWithoutInterface && isPlain(network)) continue;
    if (network.target in endpoints)
      throw new EngineError(
        'invalid',
        `network ${JSON.stringify(network.target)} is specified multiple times`,
      );
    endpoints[network.target] = endpoint(network, flags.list('link'));
  }
  return { mode, endpoints };
}

function applyFlags(network: NetworkAttachment, flags: ParsedFlags): void {
  const aliases = [...flags.list('network-alias'), ...flags.list('net-alias')];
  const conflict = (what: string, name: string) =>
    new EngineError('invalid', `conflicting options: cannot specify both --${what} and per-network ${name}`);
  if (aliases.length > 0 && network.aliases.length > 0) throw conflict('network-alias', 'alias');
  if (flags.string('ip') !== '' && network.ip !== '') throw conflict('ip', 'IPv4 address');
  if (flags.string('ip6') !== '' && network.ip6 !== '') throw conflict('ip6', 'IPv6 address');
  network.aliases.push(...aliases);
  network.ip ||= flags.string('ip');
  network.ip6 ||= flags.string('ip6');
  network.linkLocalIps.push(...flags.list('link-local-ip'));
  network.macAddress = macAddress(network.macAddress || flags.string('mac-address'));
  if (network.aliases.length > 0 && !isUserDefined(network.target))
    throw new EngineError('invalid', 'network-scoped aliases are only supported for user-defined networks');
}

function isUserDefined(target: string): boolean {
  return !NOT_USER_DEFINED.has(target) && !target.startsWith('container:');
}

function isPlain({
  ip,
  ip6,
  linkLocalIps,
  aliases,
  macAddress: mac,
  driverOpts,
  gwPriority,
}: NetworkAttachment): boolean {
  const lists = linkLocalIps.length + aliases.length;
  return ip === '' && ip6 === '' && lists === 0 && mac === '' && driverOpts === undefined && gwPriority === 0;
}

/** As Go reads addresses: six or eight bytes with colons or hyphens, or in groups of two with points. */
function macAddress(text: string): string {
  const isMac =
    /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}(?:\1[0-9a-f]{2}\1[0-9a-f]{2})?)$/i.test(text) ||
    /^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2,3}$/i.test(text);
  if (text === '' || isMac) return text;
  throw new EngineError('invalid', `${text} is not a valid mac address`);
}

function endpoint(network: NetworkAttachment, links: string[]): object {
  const ipam = {
    ...(network.ip === '' ? {} : { IPv4Address: network.ip }),
    ...(network.ip6 === '' ? {} : { IPv6Address: network.ip6 }),
    ...(network.linkLocalIps.length === 0 ? {} : { LinkLocalIPs: network.linkLocalIps }),
  };
  const userDefined = !NOT_USER_DEFINED.has(network.target);
  return {
    IPAMConfig: Object.keys(ipam).length === 0 ? null : ipam,
    Links: userDefined && links.length > 0 ? links : null,
    Aliases: network.aliases.length === 0 ? null : network.aliases,
    MacAddress: network.macAddress,
    DriverOpts: network.driverOpts ?? null,
    GwPriority: network.gwPriority,
    NetworkID: '',
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}
