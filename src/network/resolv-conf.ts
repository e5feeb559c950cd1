import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { errnoCodeOf } from '../errors/engine-error.ts';

export interface ResolvConf {
  nameservers: string[];
  search: string[];
  options: string[];
}

const FALLBACK_NAMESERVERS = ['8.8.8.8', '8.8.4.4'];
/** systemd-resolved's stub; the servers behind it are in a file of its own. */
const STUB = '127.0.0.53';

/** resolv.conf(5): `search` replaces what came before, as the resolver has it. */
export function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { nameservers: [], search: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) conf.nameservers.push(values[0]);
    else if (keyword === 'search' || keyword === 'domain') conf.search = values;
    else if (keyword === 'options') conf.options.push(...values);
  }
  return conf;
}

/** What a container on an IPv4 bridge can use: no loopback, no IPv6; Docker's public servers when nothing is left. */
export function forBridge(host: ResolvConf): ResolvConf {
  const usable = host.nameservers.filter((server) => isIPv4(server) && !server.startsWith('127.'));
  return { ...host, nameservers: usable.length > 0 ? usable : FALLBACK_NAMESERVERS };
}

/** As it stands, for who is on the host's own network. */
export async function readResolvConf(path = '/etc/resolv.conf'): Promise<ResolvConf> {
  return parseResolvConf(await readIfThere(path));
}

/** The host's configuration as its containers get it. */
export async function readHostResolvConf(
  paths: { main: string; behindStub: string } = {
    main: '/etc/resolv.conf',
    behindStub: '/run/systemd/resolve/resolv.conf',
  },
): Promise<ResolvConf> {
  const conf = await readResolvConf(paths.main);
  if (conf.nameservers.length !== 1 || conf.nameservers[0] !== STUB) return conf;
  const behind = await readResolvConf(paths.behindStub);
  return behind.nameservers.length > 0 ? behind : conf;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return '';
    throw error;
  }
}
