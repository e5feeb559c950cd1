import { readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { EngineError } from '../errors/engine-error.ts';
import type { Endpoint } from '../network/network-driver.ts';
import type { ContainerPaths } from './container-paths.ts';
import type { ContainerRecord } from './container-record.ts';

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
  const write = async (path: string, text: string | Promise<string>): Promise<void> =>
    await writeFile(path, await text, { mode: 0o644 });
  await Promise.all([
    write(paths.hostname(record.id), `${record.config.hostname}\n`),
    write(
      paths.hosts(record.id),
      network.joined.then((context) => hostsOf(record, context)),
    ),
    write(
      paths.resolvConf(record.id),
      network.resolver.then((resolver) => resolvConfText(record, resolver)),
    ),
  ]);
}

/** With the host's network, the host's own file, unless there are names to add. */
async function hostsOf(record: ContainerRecord, network: HostsContext): Promise<string> {
  const { networkMode, extraHosts } = record.host;
  if (networkMode !== 'host' || extraHosts.length > 0) return hostsText(record, network);
  return await readFile('/etc/hosts', 'utf8').catch(() => '');
}

export interface HostsContext {
  endpoints: readonly Endpoint[];
  /** The host as a container sees it, where no endpoint tells. */
  hostGateway: string | undefined;
}

export function hostsText(record: ContainerRecord, { endpoints, hostGateway }: HostsContext): string {
  const { hostname, domainname } = record.config;
  const names = domainname === '' ? hostname : `${hostname}.${domainname} ${hostname}`;
  const gateway = endpoints.find(({ ipv4 }) => ipv4 !== undefined)?.ipv4?.gateway ?? hostGateway;
  const addresses = endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((one) => one !== undefined));
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...record.host.extraHosts.map((text) => extraHostLine(text, gateway)),
    ...addresses.map(({ address }) => `${address}\t${names}`),
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

export function resolvConfText(record: ContainerRecord, resolver: ResolverSettings): string {
  const { dns, dnsSearch, dnsOptions } = record.host;
  const nameservers = dns.length > 0 ? dns : resolver.nameservers;
  const search = dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== '.') : resolver.search;
  const options = dnsOptions.length > 0 ? dnsOptions : resolver.options;
  const lines = [
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
