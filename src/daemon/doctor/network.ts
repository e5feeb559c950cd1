import { readFileSync } from 'node:fs';
import { findForeignDrops, findHooks, type NftChain, parseChains } from '../../network/foreign-firewall.ts';
import { readHostResolvConf } from '../../network/resolv-conf.ts';
import { run } from '../../sys/spawn.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import { nftTableOf } from '../engine-suffix.ts';
import { type Check, finding, needsRoot, type Subject } from './check.ts';

const PATIENCE_MS = 5000;
/** Of any engine of this kind: none drops what another one's containers send. */
const OWN_TABLE = /^sampan/;

/** The way packets of containers take, and who else has a say in it. */
export const checkNetwork: Check = {
  name: 'network',
  async run(subject) {
    return [
      ...(subject.isRoot ? await firewall(subject) : [needsRoot('firewall')]),
      forwarding(subject),
      await resolvers(),
    ];
  },
};

async function firewall(subject: Subject): Promise<DoctorCheck[]> {
  const listed = await run(['nft', '-j', 'list', 'chains'], { timeoutMs: PATIENCE_MS });
  if (listed.exitCode !== 0)
    return [
      finding('firewall', 'failure', `nft does not work: ${listed.stderr.trim().split('\n')[0]}`, {
        cost: 'containers have no network',
        command: 'apt-get install nftables && modprobe nf_tables',
      }),
    ];
  const chains = parseChains(listed.stdout);
  return [...foreign(chains, subject.settings.dataRoot, await subject.bridgeNames()), ...(await legacy())];
}

/** A drop of somebody else's holds whatever our table accepts. */
function foreign(
  chains: readonly NftChain[],
  dataRoot: string,
  bridgeNames: readonly string[],
): DoctorCheck[] {
  const own = nftTableOf(dataRoot);
  const isThere = chains.some(({ table }) => table === own);
  const others = chains.filter(({ table }) => !OWN_TABLE.test(table));
  const { hooks, warnings } = findForeignDrops(others, { bridgeNames, ipv6: true });
  const tables = isThere ? `nft table ${own}` : 'nft works';
  if (warnings.length > 0)
    return warnings.map((warning) => {
      const [, chain] = /chain "([^"]+)" drops/.exec(warning) ?? [];
      const [, command] = /run (firewall-cmd [^,]+),/.exec(warning) ?? [];
      return finding('firewall', 'warning', firstPart(warning), {
        cost: 'containers have no network',
        command: command ?? (chain === undefined ? '' : acceptRules(chain, bridgeNames)),
      });
    });
  if (hooks.length === 0)
    return [finding('firewall', 'ok', `${tables}; nobody else drops what containers send`)];
  const places = findHooks(others).map(({ family, table, chain }) => `${family} ${table} ${chain}`);
  return [
    finding('firewall', 'ok', `${tables}; another firewall drops what is forwarded, and has let it through`, {
      details: places.map((place) => `our rules stand in its chain "${place}"`),
    }),
  ];
}

function firstPart(warning: string): string {
  return warning.replace('WARNING: ', '').split(/: (?:let|run) /)[0] ?? warning;
}

function acceptRules(chain: string, bridgeNames: readonly string[]): string {
  const [bridge = 'sampan0'] = bridgeNames;
  return ['iifname', 'oifname'].map((end) => `nft insert rule ${chain} ${end} ${bridge} accept`).join(' && ');
}

/** Rules of the older kernel interface, which nft doesn't show. */
async function legacy(): Promise<DoctorCheck[]> {
  if (!readText('/proc/net/ip_tables_names').includes('filter')) return [];
  const listed = await run(['iptables-legacy', '-S', 'FORWARD'], { timeoutMs: PATIENCE_MS }).catch(
    () => undefined,
  );
  if (listed === undefined || !listed.stdout.includes('-P FORWARD DROP')) return [];
  return [
    finding(
      'legacy-firewall',
      'warning',
      'iptables-legacy drops what is forwarded, where nft does not show it',
      {
        cost: 'containers have no network',
        command: 'iptables-legacy -P FORWARD ACCEPT',
      },
    ),
  ];
}

function forwarding({ running }: Subject): DoctorCheck {
  const on = readText('/proc/sys/net/ipv4/ip_forward').trim() === '1';
  if (on) return finding('forwarding', 'ok', 'IPv4 packets are forwarded');
  return running
    ? finding('forwarding', 'failure', 'somebody has turned IPv4 forwarding off', {
        cost: 'containers reach only this machine',
        command: 'sysctl -w net.ipv4.ip_forward=1',
      })
    : finding('forwarding', 'ok', 'IPv4 forwarding is off; the daemon turns it on as it starts');
}

async function resolvers(): Promise<DoctorCheck> {
  const { nameservers } = await readHostResolvConf();
  if (nameservers.length > 0) return finding('name-servers', 'ok', nameservers.join(', '));
  return finding('name-servers', 'warning', 'the host has no name server in resolv.conf', {
    cost: 'containers resolve no names, and nothing is pulled by name',
    advice: 'set "dns" in daemon.json: { "dns": ["9.9.9.9"] }',
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
