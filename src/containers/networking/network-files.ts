import { chown, readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { EngineError } from '../../errors/engine-error.ts';
import { resolvConfText, servedByEngine } from '../../network/names/resolv-conf-text.ts';
import type { Endpoint } from '../../network/network-driver.ts';
import { servesNames } from '../../network/predefined-networks.ts';
import { rootOf } from '../../sys/id-map.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { ContainerPaths } from '../record/container-paths.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { usesOwnNetwork } from './container-networks.ts';
import { readOwnFile } from './own-file.ts';

export interface ResolverSettings {
  nameservers: string[];
  search: string[];
  options: string[];
}

/**
 * Write the container's hosts, hostname and resolv.conf, which are bind-mounted into it. Made anew at each start, as far as possible
 * while its network is still being joined. Its folder is there.
 */
export async function writeNetworkFiles(
  record: ContainerRecord,
  paths: ContainerPaths,
  network: {
    joined: Promise<HostsContext>;
    resolver: Promise<ResolverSettings>;
  },
): Promise<void> {
  const owner = record.idMap === undefined ? undefined : rootOf(record.idMap);
  const write = async (path: string, text: string | Promise<string>): Promise<void> => {
    await writeFile(path, await text, { mode: 0o644 });
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  };
  await Promise.all([
    write(paths.hostname(record.id), `${record.config.hostname}\n`),
    write(
      paths.hosts(record.id),
      network.joined.then((context) => hostsOf(record, context)),
    ),
    write(
      paths.resolvConf(record.id),
      Promise.all([network.resolver, network.joined]).then(([resolver, { endpoints }]) =>
        containerResolvConf(record, resolver, { served: endpoints.some(servesNames) }),
      ),
    ),
  ]);
}

/**
 * Of a running container, whose networks have changed. In place, since the files are mounted; what was written in the container stays.
 */
export async function rewriteNetworkFiles(
  record: ContainerRecord,
  endpoints: readonly Endpoint[],
  { paths, resolver }: Pick<ContainerDependencies, 'paths' | 'resolver'>,
): Promise<void> {
  const hosts = paths.hosts(record.id);
  const text = await readOwnFile(hosts);
  if (text !== undefined) await replaceText(hosts, text, hostsWith(text, record, endpoints));
  const conf = paths.resolvConf(record.id);
  const settings = await resolver(usesOwnNetwork(record.host.networkMode) ? 'own' : 'host');
  const texts = [true, false].map((served) => containerResolvConf(record, settings, { served }));
  const present = (await readOwnFile(conf)) ?? '';
  const wanted = containerResolvConf(record, settings, { served: endpoints.some(servesNames) });
  if (texts.includes(present)) await replaceText(conf, present, wanted);
}

async function replaceText(path: string, present: string, wanted: string): Promise<void> {
  if (present !== wanted) await writeFile(path, wanted);
}

/** Lines of ours that name the container follow its endpoints. */
function hostsWith(text: string, record: ContainerRecord, endpoints: readonly Endpoint[]): string {
  const names = ownNames(record);
  const others = text.split('\n').filter((line) => line !== '' && !line.endsWith(`\t${names}`));
  return `${[...others, ...ownLines(record, endpoints)].join('\n')}\n`;
}

function ownNames({ config: { hostname, domainname } }: ContainerRecord): string {
  const full = domainname === '' ? hostname : `${hostname}.${domainname}`;
  const dot = full.indexOf('.');
  return dot < 0 ? full : `${full} ${full.slice(0, dot)}`;
}

function ownLines(record: ContainerRecord, endpoints: readonly Endpoint[]): string[] {
  const names = ownNames(record);
  return endpoints
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((one) => one !== undefined))
    .map(({ address }) => `${address}\t${names}`);
}

/** With the host's network, the host's own file, unless there are names to add. */
async function hostsOf(record: ContainerRecord, network: HostsContext): Promise<string> {
  const { networkMode, extraHosts } = record.host;
  if (networkMode !== 'host' || extraHosts.length > 0) return hostsText(record, network);
  return await readFile('/etc/hosts', 'utf8').catch(() => '');
}

export interface HostsContext {
  endpoints: readonly Endpoint[];
  /** The host as the container sees it. */
  hostGateway: string | undefined;
  /** Lines for containers that it has a link to. */
  linked?: readonly string[];
}

export function hostsText(
  record: ContainerRecord,
  { endpoints, hostGateway, linked = [] }: HostsContext,
): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...record.host.extraHosts.map((text) => extraHostLine(text, hostGateway)),
    ...linked,
    ...ownLines(record, endpoints),
  ];
  return `${lines.join('\n')}\n`;
}

/** `name:address`, `name=address`; `host-gateway` stands for the host as seen from the container. */
export function parseExtraHost(text: string): { name: string; address: string } {
  const match = /^([^:=\s]+)[:=](.+)$/.exec(text);
  const [, name = '', raw = ''] = match ?? [];
  const address = raw.replace(/^\[(.*)\]$/, '$1');
  if (match === null) throw new EngineError('invalid', `bad format for add-host: "${text}"`);
  if (address !== 'host-gateway' && isIP(address) === 0)
    throw new EngineError('invalid', `invalid IP address in add-host: "${raw}"`);
  return { name, address };
}

function extraHostLine(text: string, hostGateway: string | undefined): string {
  const { name, address } = parseExtraHost(text);
  return `${address === 'host-gateway' ? (hostGateway ?? '127.0.0.1') : address}\t${name}`;
}

/** `served`: by the engine's name server, which asks those of `--dns` or the host's in turn. */
export function containerResolvConf(
  record: ContainerRecord,
  resolver: ResolverSettings,
  { served }: { served: boolean },
): string {
  const { dns, dnsSearch, dnsOptions } = record.host;
  const words = {
    nameservers: dns.length > 0 ? dns : resolver.nameservers,
    search: dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== '.') : resolver.search,
    options: dnsOptions.length > 0 ? dnsOptions : resolver.options,
  };
  return resolvConfText(served ? servedByEngine(words) : words);
}
